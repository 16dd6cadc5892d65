//! Entity tags of files.

/// Properties of a file that change with its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileVersion {
    /// Length, in bytes.
    pub length: u64,
    /// Time of the last change of the content, in nanoseconds since 1970.
    pub modified: i128,
    /// Time of the last change of the file, its name or its rights, in nanoseconds since 1970: a program
    /// can set the other time back, but not this one.
    pub changed: i128,
    /// Number of the file in its file system.
    pub inode: u64,
}

/// Returns the strong entity tag of a file in its `coding`, with quotes (RFC 9110 §8.8.3).
#[must_use]
pub fn entity_tag(version: &FileVersion, coding: Option<&str>) -> String {
    let FileVersion { length, modified, changed, inode } = version;
    let coding = coding.map(|coding| format!("-{coding}")).unwrap_or_default();
    let changed = changed.wrapping_sub(*modified);
    format!("\"{modified:x}-{changed:x}-{length:x}-{inode:x}{coding}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_differ_by_each_property_and_coding() {
        let version = FileVersion { length: 1, modified: 2_000_000_000, changed: 5, inode: 7 };
        let tag = entity_tag(&version, None);
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        assert_eq!(tag, entity_tag(&version, None));
        for other in [
            entity_tag(&FileVersion { length: 2, ..version }, None),
            entity_tag(&FileVersion { modified: 2_000_000_001, ..version }, None),
            entity_tag(&FileVersion { changed: 6, ..version }, None),
            entity_tag(&FileVersion { inode: 8, ..version }, None),
            entity_tag(&version, Some("gzip")),
            entity_tag(&version, Some("br")),
        ] {
            assert_ne!(other, tag);
        }
    }
}
