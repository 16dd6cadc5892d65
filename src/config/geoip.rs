//! Databases of places: the files that `--geoip` names.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use crate::geo::{GeoDatabase, GeoDatabases, GeoKinds};

use super::files::{self, FileVersion};

/// Size of the largest database that is read, in bytes. Databases of countries and of autonomous
/// systems have some tens of MiB.
const LARGEST: u64 = 1 << 30;

/// Reads a database of places into memory. A mapped file would need no reading, but the loop would wait
/// for the disk at each page, and a file that is cut would end the process.
///
/// # Errors
/// A message with the name of the file: it cannot be read, or is no database of places.
pub fn read_geo_database(path: &Path) -> Result<GeoDatabase, String> {
    let name = path.display().to_string();
    let failed = |error| format!("cannot read the GeoIP database {name}: {error}");
    let file = files::open(path).map_err(failed)?;
    let version = FileVersion::of(&file.metadata().map_err(failed)?);
    let mut content = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() as u64 > LARGEST {
        return Err(format!("the GeoIP database {name} is larger than 1 GiB"));
    }
    let read = GeoDatabase::read(&name, version.number(), content);
    read.map_err(|why| format!("the GeoIP database {name} cannot be used: {why}"))
}

/// Reads all databases.
///
/// # Errors
/// Errors of [`read_geo_database`], for the first file that has one.
pub(super) fn read_all(paths: &[impl AsRef<Path>]) -> Result<GeoDatabases, String> {
    let read = |path: &_| read_geo_database(AsRef::as_ref(path)).map(Arc::new);
    paths.iter().map(read).collect::<Result<_, _>>().map(GeoDatabases::new)
}

/// Checks that the databases have the kinds of places that rules name.
///
/// # Errors
/// A message that names the condition which no database can decide.
pub(super) fn check_kinds(named: GeoKinds, databases: &GeoDatabases) -> Result<(), String> {
    let present = databases.kinds();
    let lacking = match (named, present) {
        (GeoKinds { countries: true, .. }, GeoKinds { countries: false, .. }) => {
            ("country=", "countries")
        }
        (GeoKinds { networks: true, .. }, GeoKinds { networks: false, .. }) => {
            ("asn=", "autonomous systems")
        }
        _ => return Ok(()),
    };
    let (condition, values) = lacking;
    let missing = match databases.list() {
        [] => "no database is given".to_owned(),
        list => {
            let has = |it: &Arc<GeoDatabase>| format!("{} has {}", it.name(), it.kinds());
            list.iter().map(has).collect::<Vec<_>>().join(", ")
        }
    };
    Err(format!(
        "a rule has the condition {condition}, but {missing}; add --geoip FILE with a database of {values}"
    ))
}
