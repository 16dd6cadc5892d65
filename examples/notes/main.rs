//! Notes of several users: an application with views, forms, a cookie session and a static folder.
//!
//! `cargo run --example notes -- 127.0.0.1:8080` serves, with the proxy's cache, limits and log before it:
//!
//! * `/`: the notes, with a form for those who have said who they are;
//! * `/login`, `/logout`: forms that begin and end a session, in a signed cookie;
//! * `/notes`: a form with a new note; `/notes/1`: one note, cacheable for a minute;
//! * `/export`: all notes as a stream of lines;
//! * `/static/`: files of the folder `examples/notes/static`.
//!
//! `cargo test --example notes` runs the tests at the end of `notes.rs`.

mod notes;

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::Path;

use tidegate::proxy::{
    Application, Folder, FolderRules, RouteAction, Server, Service, Settings, SiteRoute, Sites,
};

/// Returns the routes: files of the folder, and the application for all other paths.
fn routes(key: &[u8]) -> Result<Vec<SiteRoute>, Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/notes/static");
    let folder = Folder::open(&folder, FolderRules::default())?;
    let application = Application::new("notes", notes::router(key)?);
    Ok(vec![
        SiteRoute::new("/static".parse()?, RouteAction::Folder(folder.into())),
        SiteRoute::new("/".parse()?, RouteAction::Application(application.into())),
    ])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".into());
    let address: SocketAddr = address.parse()?;
    let mut settings = Settings::forward("notes");
    settings.service = Service::reverse(Sites::of_routes(routes(&random()?)?)?);
    let mut server = Server::new(settings)?;
    eprintln!("listening {}", server.listen(address)?);
    server.run()?;
    Ok(())
}

/// Returns the key of sessions, which end with the process.
fn random() -> io::Result<[u8; 32]> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(key)
}
