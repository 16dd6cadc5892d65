//! Redirect: a request on a listener for plain HTTP is sent to `https`.

use crate::http::{Authority, Method, Name, ParseError, RequestHead, Scheme, Status};
use crate::proxy::error::{ExchangeError, NotSupported};

use super::connection::Connection;
use super::context::ClientCx;
use super::exchange::Exchange;
use super::respond;
use super::state::{Next, State};

/// Responds with the same URL under `https`, at the port of the first listener for TLS.
pub(super) fn redirect(
    exchange: &mut Exchange,
    connection: &mut Connection,
    cx: &mut ClientCx<'_>,
) -> Next {
    if exchange.request.method() == Method::Connect {
        let error = ExchangeError::NotSupported(NotSupported::Connect);
        return Next::fail(State::Redirect, error);
    }
    let port = cx.shared.tls_port.unwrap_or(Scheme::Https.default_port());
    let Some(location) = secure_url(&exchange.request, port) else {
        return Next::fail(State::Redirect, ExchangeError::BadRequest(ParseError::MissingHost));
    };
    exchange.respond(connection, cx, |out, _, context| {
        respond::redirect(out, Status::PERMANENT_REDIRECT, &location, context)
    })
}

/// Returns the URL of the request under `https`; `None` if the request names no host.
fn secure_url(request: &RequestHead, port: u16) -> Option<String> {
    let of_field = || request.fields().get(Name::Host).and_then(|host| Authority::parse(host).ok());
    let authority = request.authority().or_else(of_field)?;
    let mut url = format!("https://{}", authority.host.to_ascii_lowercase());
    if port != Scheme::Https.default_port() {
        url.push_str(&format!(":{port}"));
    }
    let path = request.path_and_query();
    if !path.starts_with('/') {
        url.push('/');
    }
    url.push_str(path);
    Some(url)
}
