//! Route: decides what becomes of a request.

use std::rc::Rc;
use std::sync::Arc;

use crate::access::RuleDecision;
use crate::cache::PurgeScope;
use crate::http::{Method, RequestHead, Status};
use crate::proxy::error::ExchangeError;
use crate::proxy::observe::outcome::Outcome;
use crate::proxy::routing;
use crate::proxy::routing::decision::Routed;

use super::connection::Client;
use super::context::ClientCx;
use super::exchange::Upload;
use super::respond::{self, ResponseContext};
use super::step::{Next, Step};

/// Refuses, answers, tunnels, or goes on to the cache.
pub(super) fn route(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let settings = Arc::clone(&cx.shared.settings);
    let limit = settings.limits.upload.map(|bytes| bytes.0);
    let declared = exchange.request.framing().length();
    if limit.is_some_and(|limit| declared.is_some_and(|declared| declared > limit)) {
        return Next::Go(client.fail(&ExchangeError::UploadTooLarge, cx));
    }
    match routing::route(&exchange.request, &mut exchange.record, &settings, &cx.shared.interfaces)
    {
        Err(error) => Next::Go(client.fail(&error, cx)),
        Ok(Routed::Here) => Next::Go(answer_here(client, cx)),
        Ok(Routed::Fetch(route)) => {
            if exchange.request.method_name() == "PURGE" && settings.may_purge(client.address.ip())
            {
                return Next::Go(purge(client, &route.uri, cx));
            }
            let depends = route.judgement.as_ref().is_some_and(RuleDecision::depends_on_address);
            exchange.route = Some(Rc::new(route));
            Next::Go(if depends { Step::Resolve } else { Step::Lookup })
        }
        Ok(Routed::Tunnel(route)) => {
            exchange.record.outcome = Outcome::Tunnel;
            exchange.route = Some(Rc::new(route));
            Next::Go(Step::Connect)
        }
    }
}

fn answer_here(client: &mut Client, cx: &mut ClientCx<'_>) -> Step {
    let forward = cx.shared.settings.reverse.is_none();
    answer(client, cx, |out, request, frame| respond::here(out, request, forward, frame))
}

/// Removes what is stored for a URI.
fn purge(client: &mut Client, uri: &Arc<str>, cx: &mut ClientCx<'_>) -> Step {
    let mut purge =
        cx.shared.cache.purge(&PurgeScope::Uri(Arc::clone(uri)), false, cx.reactor.now().mono);
    cx.shared.cache.run_slice(&mut purge); // of one URI, all in one go
    cx.shared.counters.purged += purge.count() as u64;
    let text = format!("purged {}\n", purge.count());
    answer(client, cx, |out, _, frame| respond::text(out, &text, frame))
}

/// Answers with what `write` writes; it says its status and the length of its content.
fn answer(
    client: &mut Client,
    cx: &ClientCx<'_>,
    write: impl FnOnce(&mut Vec<u8>, &RequestHead, ResponseContext<'_>) -> (Status, u64),
) -> Step {
    let Some(exchange) = &mut client.exchange else { return Step::Close };
    exchange.cache_status.detail = Some("own");
    exchange.persistent &= exchange.upload == Upload::Done;
    let frame = ResponseContext {
        name: &cx.shared.settings.name,
        now: cx.reactor.now(),
        head_only: exchange.request.method() == Method::Head,
        close: !exchange.persistent,
        cache_status: &exchange.cache_status,
        info: exchange.info.as_ref(),
        explain: None,
    };
    let (status, sent) = write(client.output.bytes(), &exchange.request, frame);
    exchange.record.outcome = Outcome::Own;
    exchange.record.tell_type(cx.shared.settings.log, if sent > 0 { respond::TEXT } else { b"" });
    exchange.record.status = Some(status);
    exchange.record.sent = sent;
    Step::Finish
}
