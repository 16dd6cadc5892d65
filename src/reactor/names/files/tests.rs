use std::path::Path;

use crate::reactor::{Clock, VirtualClock};

use super::*;

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("tidegate-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Replaces a file, as editors do.
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

fn sources(hosts: &Path, conf: &Path) -> NameSources {
    let file = |path: &Path| Source::File(path.to_owned());
    NameSources { hosts: file(hosts), resolv_conf: file(conf), servers: Vec::new() }
}

#[test]
fn files_are_read_again_when_they_have_changed_and_not_more_often_than_that() {
    let folder = Folder::new("files");
    let hosts = folder.write("hosts", "192.0.2.1 a");
    let conf = folder.write("resolv.conf", "nameserver 192.0.2.53");
    let (mut files, now) = (Files::new(sources(&hosts, &conf)), VirtualClock::default().now().mono);
    assert!(files.look(now), "other servers than without a file");
    let first = files.hosts.get("a");
    assert!(first.is_some());
    folder.write("hosts", "192.0.2.2 a");
    folder.write("resolv.conf", "nameserver 192.0.2.54");
    assert!(!files.look(now + INTERVAL / 2));
    assert_eq!(files.hosts.get("a"), first, "looked at just now");
    assert!(files.look(now + INTERVAL));
    assert_ne!(files.hosts.get("a"), first);
    assert_eq!(files.conf.servers, ["192.0.2.54:53".parse().unwrap()]);
}

#[test]
fn a_file_that_has_gone_is_as_it_was_until_there_is_another() {
    let folder = Folder::new("gone");
    let hosts = folder.write("hosts", "192.0.2.1 a");
    let conf = folder.write("resolv.conf", "nameserver 192.0.2.53");
    let (mut files, now) = (Files::new(sources(&hosts, &conf)), VirtualClock::default().now().mono);
    files.look(now);
    assert_eq!(files.lost(), None);
    fs::remove_file(&hosts).unwrap();
    assert!(!files.look(now + INTERVAL), "the servers are the same");
    assert!(files.hosts.get("a").is_some());
    assert_eq!(files.lost(), Some(hosts.as_path()));
    folder.write("hosts", "192.0.2.1 b");
    fs::remove_file(&conf).unwrap();
    assert!(!files.look(now + 2 * INTERVAL), "the servers are those it had");
    assert_eq!(files.hosts.get("a"), None);
    assert!(files.hosts.get("b").is_some());
    assert_eq!(files.lost(), Some(conf.as_path()));
    fs::create_dir(&conf).unwrap(); // there, but nothing that can be read
    assert!(!files.look(now + 3 * INTERVAL));
    assert_eq!(files.lost(), Some(conf.as_path()));
}

#[test]
fn a_pipe_is_not_waited_for() {
    let folder = Folder::new("pipe");
    let conf = folder.write("resolv.conf", "");
    let (reader, _writer) = io::pipe().unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&reader);
    let pipe = PathBuf::from(format!("/proc/self/fd/{fd}"));
    let mut files = Files::new(sources(&pipe, &conf));
    files.look(VirtualClock::default().now().mono);
    assert_eq!(files.hosts.get("a"), None);
}

#[test]
fn servers_that_are_given_are_asked_instead_of_those_of_the_file() {
    let text = "nameserver 192.0.2.1\nsearch x.test\noptions ndots:3";
    let given: Vec<SocketAddr> = vec!["127.0.0.1:5353".parse().unwrap()];
    let mut files = Files::new(NameSources {
        hosts: Source::Text(String::new()),
        resolv_conf: Source::Text(text.into()),
        servers: given.clone(),
    });
    files.look(VirtualClock::default().now().mono);
    assert_eq!((files.conf.servers, files.conf.ndots), (given, 3));
}

#[test]
fn a_file_that_is_not_there_is_empty() {
    let folder = Folder::new("nothing");
    let nowhere = folder.0.join("nothing");
    let mut files = Files::new(sources(&nowhere, &nowhere));
    assert!(!files.look(VirtualClock::default().now().mono));
    assert_eq!(files.conf, ResolvConf::default());
    assert_eq!(files.lost(), None, "it never was there");
}
