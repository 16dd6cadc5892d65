//! A request to explain, and its form on the control socket.

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A request to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainQuery {
    /// The method; empty for the one that clients use for the URL.
    pub method: String,
    /// A URL, or `HOST:PORT` for CONNECT.
    pub url: String,
    /// The address of the client.
    pub client: IpAddr,
    /// The listener that the client connects to; the first one if absent.
    pub listener: Option<SocketAddr>,
    /// The user as whom the client is authenticated.
    pub user: Option<String>,
    /// A name in the verified certificate of the client.
    pub certificate: Option<String>,
    /// Further field lines of the request.
    pub fields: Vec<String>,
    /// Addresses assumed for the host name. If empty, name servers are asked.
    pub addresses: Vec<IpAddr>,
}

/// A line, with tabs between the parts. No part may contain a tab.
impl Display for ExplainQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, url, client, listener, user, certificate, fields, addresses } = self;
        write!(f, "{method}\t{url}\t{client}")?;
        listener.iter().try_for_each(|listener| write!(f, "\tlistener {listener}"))?;
        user.iter().try_for_each(|user| write!(f, "\tuser {user}"))?;
        certificate.iter().try_for_each(|name| write!(f, "\tcert {name}"))?;
        fields.iter().try_for_each(|field| write!(f, "\tfield {field}"))?;
        addresses.iter().try_for_each(|address| write!(f, "\taddress {address}"))
    }
}

impl FromStr for ExplainQuery {
    type Err = String;

    fn from_str(line: &str) -> Result<Self, String> {
        let wrong = || "the request to explain is incomplete or malformed".to_owned();
        let mut parts = line.split('\t');
        let mut next = || parts.next().ok_or_else(wrong);
        let (method, url) = (next()?.to_owned(), next()?.to_owned());
        let client = next()?.parse().map_err(|_| wrong())?;
        let (fields, addresses) = (Vec::new(), Vec::new());
        let (listener, user, certificate) = (None, None, None);
        let mut question =
            Self { method, url, client, listener, user, certificate, fields, addresses };
        for part in parts {
            match part.split_once(' ') {
                Some(("listener", text)) => {
                    question.listener = Some(text.parse().map_err(|_| wrong())?);
                }
                Some(("user", user)) => question.user = Some(user.to_owned()),
                Some(("cert", name)) => question.certificate = Some(name.to_owned()),
                Some(("field", field)) => question.fields.push(field.to_owned()),
                Some(("address", text)) => {
                    question.addresses.push(text.parse().map_err(|_| wrong())?);
                }
                _ => return Err(wrong()),
            }
        }
        Ok(question)
    }
}

impl ExplainQuery {
    /// Returns the query with the method and the target that a client would send for the URL: to a
    /// `reverse` proxy, or to a forward proxy.
    pub(super) fn into_sent(self, reverse: bool) -> Self {
        let (method, url) = sent(&self.url, &self.method, reverse);
        Self { method, url, ..self }
    }
}

fn sent(url: &str, method: &str, reverse: bool) -> (String, String) {
    let or = |usual: &str| if method.is_empty() { usual } else { method }.to_owned();
    let is_url = url.contains("://") || url.starts_with('/');
    if let Some(rest) = url.strip_prefix("https://").filter(|_| method.is_empty() && !reverse) {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let port = if ends_in_port(authority) { "" } else { ":443" };
        return (or("CONNECT"), format!("{authority}{port}"));
    }
    match (is_url, method) {
        (true, _) => (or("GET"), url.to_owned()),
        (false, "CONNECT") => (or(""), url.to_owned()),
        (false, "") if ends_in_port(url) && !reverse => (or("CONNECT"), url.to_owned()),
        (false, _) => {
            let slash = if url.contains('/') { "" } else { "/" };
            (or("GET"), format!("http://{url}{slash}"))
        }
    }
}

fn ends_in_port(text: &str) -> bool {
    let port = text.rsplit_once(':').map_or("", |(_, port)| port);
    !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_becomes_the_request_that_clients_send() {
        for (url, method, forward, reverse) in [
            ("http://h/", "", "GET http://h/", "GET http://h/"),
            ("http://h/", "HEAD", "HEAD http://h/", "HEAD http://h/"),
            ("https://h/path?q", "", "CONNECT h:443", "GET https://h/path?q"),
            ("https://h:8443", "", "CONNECT h:8443", "GET https://h:8443"),
            ("https://[::1]/", "", "CONNECT [::1]:443", "GET https://[::1]/"),
            ("https://h/", "GET", "GET https://h/", "GET https://h/"),
            ("h:443", "", "CONNECT h:443", "GET http://h:443/"),
            ("h", "", "GET http://h/", "GET http://h/"),
            ("h/path", "", "GET http://h/path", "GET http://h/path"),
            ("h", "CONNECT", "CONNECT h", "CONNECT h"),
            ("/path", "", "GET /path", "GET /path"),
        ] {
            for (is_reverse, expected) in [(false, forward), (true, reverse)] {
                let (method, target) = sent(url, method, is_reverse);
                assert_eq!(format!("{method} {target}"), expected, "{url} {is_reverse}");
            }
        }
    }
}
