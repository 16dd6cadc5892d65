//! Options of a command line, read over those of a file.

use crate::config::{OptionSpec, Options, read, read_file};

/// The arguments of `run`, kept to be read again on reload.
#[derive(Clone, Debug)]
pub(crate) struct RunArgs {
    pub(crate) config: Option<String>,
    pub(super) given: OptionValues,
}

/// Options and their values, in the order in which they are to be read.
pub(super) type OptionValues = Vec<(&'static OptionSpec, String)>;

impl RunArgs {
    /// Whether nothing was said but where a running proxy is found.
    pub(super) fn is_empty(&self) -> bool {
        self.config.is_none() && self.given.iter().all(|(option, _)| option.name == "control")
    }

    /// What the file says, and over it what the command line says.
    ///
    /// # Errors
    /// What is wrong in either.
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
    let text = String::from_utf8(text).map_err(|_| format!("{file}: this is no UTF-8"))?;
    let mut options = Options::default();
    read_file(&mut options, file, &text).map_err(|error| error.to_string())?;
    Ok(options)
}
