//! A request to explain, and its form on the control socket.

use std::fmt::{self, Display};
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A request to explain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainQuery {
    /// The method.
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
