use std::net::SocketAddr;
use std::path::Path;

use crate::reactor::{App, Event, Reactor};

use super::*;

/// A temporary folder that is removed on drop.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Replaces a file by renaming, as editors do.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let (path, new) = (self.0.join(name), self.0.join("new"));
        fs::write(&new, text).unwrap();
        fs::rename(new, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn reader(hosts: &Path, conf: &Path) -> Reader {
    let file = |path: &Path| NameSource::File(path.to_owned());
    Reader::new(NameSources {
        hosts: file(hosts),
        resolv_conf: file(conf),
        ..NameSources::default()
    })
}

#[test]
fn files_are_read_again_when_they_have_changed() {
    let folder = Folder::new("files");
    let hosts = folder.write("hosts", "192.0.2.1 a");
    let conf = folder.write("resolv.conf", "nameserver 192.0.2.53");
    let mut reader = reader(&hosts, &conf);
    let first = reader.look();
    assert!(first.hosts.unwrap().get("a").is_some());
    assert_eq!(first.conf.unwrap().servers, ["192.0.2.53:53".parse().unwrap()]);
    let second = reader.look();
    assert!(second.hosts.is_none() && second.conf.is_none(), "nothing has changed");
    folder.write("hosts", "192.0.2.1 b");
    let third = reader.look();
    assert!(third.hosts.unwrap().get("a").is_none());
    assert!(third.conf.is_none());
}

#[test]
fn removed_file_keeps_its_content_until_it_is_replaced() {
    let folder = Folder::new("gone");
    let hosts = folder.write("hosts", "192.0.2.1 a");
    let conf = folder.write("resolv.conf", "nameserver 192.0.2.53");
    let mut reader = reader(&hosts, &conf);
    assert_eq!(reader.look().lost, None);
    fs::remove_file(&hosts).unwrap();
    let gone = reader.look();
    assert!(gone.hosts.is_none(), "the last content remains in use");
    assert_eq!(gone.lost, Some(hosts));
    folder.write("hosts", "192.0.2.1 b");
    fs::remove_file(&conf).unwrap();
    let other = reader.look();
    assert!(other.hosts.unwrap().get("b").is_some());
    assert_eq!((other.conf, other.lost), (None, Some(conf.clone())));
    fs::create_dir(&conf).unwrap(); // exists, but cannot be read
    assert_eq!(reader.look().lost, Some(conf));
}

#[test]
fn pipe_is_not_read() {
    let folder = Folder::new("pipe");
    let conf = folder.write("resolv.conf", "");
    let (reader_end, _writer) = io::pipe().unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reader_end);
    let pipe = PathBuf::from(format!("/proc/self/fd/{fd}"));
    let read = reader(&pipe, &conf).look();
    assert_eq!(read.hosts.unwrap().get("a"), None);
    let device = reader(Path::new("/dev/zero"), &conf).look();
    assert_eq!(device.hosts.unwrap().get("a"), None);
}

#[test]
fn given_servers_replace_those_of_the_file() {
    let text = "nameserver 192.0.2.1\nsearch x.test\noptions ndots:3";
    let given: Vec<SocketAddr> = vec!["127.0.0.1:5353".parse().unwrap()];
    let mut reader = Reader::new(NameSources {
        hosts: NameSource::Text(String::new()),
        resolv_conf: NameSource::Text(text.into()),
        servers: given.clone(),
        ..NameSources::default()
    });
    let conf = reader.look().conf.unwrap();
    assert_eq!((conf.servers, conf.ndots), (given, 3));
    assert!(reader.look().conf.is_none(), "a text does not change");
}

#[test]
fn missing_file_counts_as_empty() {
    let folder = Folder::new("nothing");
    let nowhere = folder.0.join("nothing");
    let read = reader(&nowhere, &nowhere).look();
    assert_eq!(read.conf, Some(ResolvConf::default()));
    assert!(read.hosts.is_some());
    assert_eq!(read.lost, None, "it never existed");
}

struct Nothing;

impl App for Nothing {
    type Mail = ();

    fn handle(&mut self, _: &mut Reactor<()>, _: Event<()>) {}
}

/// Sends the name of the thread that drops it.
struct Probe(Sender<Option<String>>);

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().name().map(str::to_owned));
    }
}

#[test]
fn thread_reads_wakes_and_frees() {
    let mut reactor = Reactor::new().unwrap();
    let token = crate::reactor::arena::Token::new(0, 0, 0);
    let text = |text: &str| NameSource::Text(text.into());
    let sources =
        NameSources { hosts: text("192.0.2.1 a"), resolv_conf: text(""), ..NameSources::default() };
    let thread = ReaderThread::start(Reader::new(sources), reactor.waker(token)).unwrap();
    thread.look();
    while reactor.turn(&mut Nothing, None).unwrap().driven == 0 {}
    let read = thread.reading().unwrap().expect("the thread wakes the object for a reading");
    assert!(read.hosts.unwrap().get("a").is_some());
    assert!(thread.reading().unwrap().is_none());
    let (probe, dropped) = channel();
    thread.free(Probe(probe));
    thread.end();
    assert_eq!(dropped.recv().unwrap().as_deref(), Some("hosts"));
    assert!(dropped.recv().is_err());
}
