//! Paths of requests as names of files below a folder.

use tidegate::files::FilePath;

/// No path leads out of its folder, names what the system does not permit, or is hidden unless asked for.
pub fn rules(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    for shows_hidden in [false, true] {
        let Ok(read) = FilePath::read(path, shows_hidden) else { continue };
        let names: Vec<&[u8]> = match read.as_bytes() {
            [] => Vec::new(),
            joined => joined.split(|&byte| byte == b'/').collect(),
        };
        for (at, name) in names.iter().enumerate() {
            assert!(!name.is_empty() && name.len() <= 255 && !name.contains(&0), "{path:?}");
            assert!(*name != b"." && *name != b"..", "{path:?}");
            let is_well_known = at == 0 && *name == b".well-known";
            assert!(shows_hidden || is_well_known || !name.starts_with(b"."), "{path:?}");
        }
        assert!(read.as_bytes().len() <= 3072, "{path:?}");
        let again = escaped(read.as_bytes(), read.is_folder());
        assert_eq!(FilePath::read(&again, shows_hidden).as_ref(), Ok(&read), "{path:?}");
    }
}

/// Returns the path of a request for these names, with all bytes but slashes escaped.
fn escaped(names: &[u8], is_folder: bool) -> String {
    let escape = |byte: &u8| if *byte == b'/' { "/".to_owned() } else { format!("%{byte:02X}") };
    let path: String = names.iter().map(escape).collect();
    path + if is_folder { "/" } else { "" }
}
