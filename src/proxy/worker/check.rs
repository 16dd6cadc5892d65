//! Consistency checks across all parts, for simulations.

use crate::proxy::admin::connection::AdminConnection;
use crate::proxy::auth::Authentication;
use crate::proxy::client::Client;
use crate::proxy::explain::ExplainTask;

use super::Worker;

impl Worker {
    /// Panics if the state of any part is inconsistent. For simulations.
    pub fn check(&self) {
        self.shared.cache.check();
        self.shared.origins.pool.check();
        self.shared.origins.names.check();
        self.shared.origins.groups.check();
        self.shared.responses.iter().for_each(|(_, response)| response.body.check());
        self.shared.uploads.iter().for_each(|(_, body)| body.check());
        self.check_places();
        self.check_memory();
        self.check_password_waiters();
        self.check_address_waiters();
        assert!(
            self.shared.cache.busy() <= self.fetches.len(),
            "each fetch in flight in the cache exists"
        );
    }

    fn check_places(&self) {
        let clients = self.clients.iter().map(|(_, client)| client.network());
        let tunnels = self.tunnels.iter().map(|(_, tunnel)| tunnel.network);
        self.shared.admission.check(clients.chain(tunnels));
    }

    fn check_memory(&self) {
        for (_, response) in self.shared.responses.iter() {
            let counted = (response.accounted, response.passing);
            assert_eq!(counted, response.holds(), "memory of responses is charged");
        }
        let kept: usize =
            self.shared.responses.iter().map(|(_, response)| response.accounted).sum();
        assert_eq!(kept, self.shared.cache.under_way(), "retained content is charged to the cache");
        let replies = self.shared.responses.iter().map(|(_, response)| response.passing);
        let clients = self.clients.iter().map(|(_, client)| client.held);
        let fetches = self.fetches.iter().map(|(_, fetch)| fetch.held);
        let tunnels = self.tunnels.iter().map(|(_, tunnel)| tunnel.held);
        let compressors = self.compressors.iter().map(|(_, compressor)| compressor.held);
        let all = replies.chain(clients).chain(fetches).chain(tunnels).chain(compressors);
        let held: usize = all.sum();
        assert_eq!(held, self.shared.memory.held(), "memory of connections is charged");
    }

    fn check_password_waiters(&self) {
        for token in self.shared.authentications.values().flat_map(Authentication::waiting) {
            let client = token.id().and_then(|id| self.clients.get(id));
            let waits = client.is_some_and(Client::awaits_password);
            assert!(waits, "a client that is woken for a password waits for it");
        }
    }

    fn check_address_waiters(&self) {
        for (name, token) in self.shared.origins.names.waiters() {
            let client = token.id().and_then(|id| self.clients.get(id));
            let fetch = token.id().and_then(|id| self.fetches.get(id));
            let waits = client.is_some_and(|client| client.looks_up(name))
                || fetch.is_some_and(|fetch| fetch.looks_up(name))
                || token == self.upkeep.token()
                || token.id::<AdminConnection>().is_some()
                || token.id::<ExplainTask>().is_some();
            assert!(waits, "a waiter for the addresses of {name} waits for them: {token:?}");
        }
    }
}
