//! The system's resolver, for names that need no network.

use std::io;
use std::net::IpAddr;

use tidegate::reactor::{Reactor, SystemResolver};

use crate::support::{Host, LONG, Log};

#[derive(Debug)]
struct Answer(String, io::Result<Vec<IpAddr>>);

#[test]
fn answers_arrive_in_the_mailbox_of_their_resolver() {
    let hosts = ["127.0.0.1", "::1"].map(|name| {
        let host: Host<Log<Answer>> = Host::new(Reactor::new().unwrap(), Log::default());
        let resolver = SystemResolver::new(1, host.reactor.mailbox(), Answer);
        resolver.ask(name, None).unwrap();
        (host, resolver, name)
    });
    for (mut host, _resolver, name) in hosts {
        host.reactor.turn(&mut host.app, Some(LONG)).unwrap();
        let [Answer(of, addresses)] = &host.app.mail[..] else { panic!("{:?}", host.app.mail) };
        assert_eq!(of, name);
        assert_eq!(addresses.as_deref().unwrap(), [name.parse::<IpAddr>().unwrap()]);
    }
}
