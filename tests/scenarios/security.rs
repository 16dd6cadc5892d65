//! TLS in scenarios: on which side it is spoken, and what that changes in the text of a file.

/// The sides on which TLS is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Security {
    /// Between the clients and the proxy.
    pub(crate) clients: bool,
    /// Between the proxy and the origins, unless the proxy opens a tunnel.
    pub(crate) origins: bool,
}

impl Security {
    /// No TLS, TLS on either side, and TLS on both.
    pub(crate) const ALL: [Self; 4] = [
        Self { clients: false, origins: false },
        Self { clients: true, origins: false },
        Self { clients: false, origins: true },
        Self { clients: true, origins: true },
    ];

    /// Returns the number of this combination in [`ALL`](Self::ALL).
    pub(crate) fn number(self) -> usize {
        usize::from(self.clients) + 2 * usize::from(self.origins)
    }

    /// Returns the text of a scenario for these sides: URLs of origins have the scheme `https` with
    /// TLS to origins. Clients of a reverse proxy see its own scheme in logs and claims.
    pub(crate) fn adapt(self, text: &str) -> String {
        let is_of_site = |line: &str| {
            line.starts_with("set to ") || line.starts_with("to = ") || line == "[[site]]"
        };
        let is_reverse = text.lines().any(is_of_site);
        let adapt = |line: &str| {
            let line = if self.origins { secured(line) } else { line.to_owned() };
            if self.clients && is_reverse { seen_by_clients(&line) } else { line }
        };
        text.lines().map(|line| adapt(line) + "\n").collect()
    }
}

/// Replaces the scheme of URLs whose host is an origin of the scenario.
fn secured(line: &str) -> String {
    let mut parts = line.split("http://");
    let mut adapted = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let host = part.split(['/', '"', '\'', ' ', '?']).next().unwrap_or_default();
        adapted.push_str(if host.contains('{') { "https://" } else { "http://" });
        adapted.push_str(part);
    }
    adapted
}

/// Replaces the scheme, or its port, in a claim about the client of this proxy.
fn claimed(line: &str) -> String {
    let ends = |end| line.strip_suffix(end).map(|start| start.to_owned() + end + "s");
    let port = line.strip_suffix("X-Forwarded-Port: 80");
    ends("X-Forwarded-Proto: http")
        .or_else(|| ends("proto=http"))
        .or_else(|| port.map(|start| start.to_owned() + "X-Forwarded-Port: 443"))
        .unwrap_or_else(|| line.to_owned())
}

/// Replaces the scheme by which clients of a reverse proxy have asked, in lines that show it.
fn seen_by_clients(line: &str) -> String {
    let shows = line.starts_with("log ") || line.contains("Location: http://www.example");
    let line = if shows { line.replace("http://", "https://") } else { line.to_owned() };
    match line.trim_start().starts_with('<') {
        true => claimed(&line),
        false => line,
    }
}
