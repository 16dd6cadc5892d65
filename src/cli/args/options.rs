//! Options of the command line, applied on top of a configuration file.

use crate::config::{OptionSpec, Options, read, read_file};

/// Arguments of `run`, kept to be applied again on reload.
#[derive(Clone, Debug)]
pub(crate) struct RunArgs {
    pub(crate) config: Option<String>,
    pub(super) given: OptionValues,
}

/// Options with their values, in the order in which they are applied.
pub(super) type OptionValues = Vec<(&'static OptionSpec, String)>;

impl RunArgs {
    /// Returns true if no option but that of the control socket was given.
    pub(super) fn is_empty(&self) -> bool {
        self.config.is_none() && self.given.iter().all(|(option, _)| option.name == "control")
    }

    /// Reads the configuration file, if one was given, and applies the options of the command line.
    ///
    /// # Errors
    /// Returns a message about the first error in either.
    pub(crate) fn options(&self) -> Result<Options, String> {
        let mut options = match &self.config {
            Some(file) => load(file)?,
            None => Options::default(),
        };
        if self.given.iter().any(|(option, _)| option.name == "listen") {
            options.listen.clear();
        }
        for (option, text) in &self.given {
            (option.set)(&mut options, text)
                .map_err(|message| format!("--{}: {message}", option.name))?;
        }
        Ok(options)
    }
}

pub(crate) fn load(file: &str) -> Result<Options, String> {
    let text = read(file).map_err(|error| format!("{file}: {error}"))?;
    let text = String::from_utf8(text).map_err(|_| format!("{file}: not UTF-8"))?;
    let mut options = Options::default();
    read_file(&mut options, file, &text).map_err(|error| error.to_string())?;
    Ok(options)
}
