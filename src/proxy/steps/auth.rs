//! Auth: asks who is there.

use std::rc::Rc;
use std::sync::Arc;

use crate::auth::{Accepted, Request, Side};

use super::super::client::{Client, ClientCx, Exchange, Next, Step};
use super::super::door::Knock;
use super::super::event::Event;
use super::super::status_fields::AuthInfo;

/// Lets users in; everybody, if none are known. Clients that are not served anyway are not asked:
/// they would only guess.
pub(in super::super) fn auth(client: &mut Client, cx: &mut ClientCx<'_>) -> Next {
    if client.is_reset(cx) {
        return Next::Gone;
    }
    let address = client.address.ip();
    let token = client.token();
    let Some(exchange) = &mut client.exchange else { return Next::Go(Step::Receive) };
    let core = &mut *cx.core;
    let Some(door) = core.door.as_mut().filter(|_| core.settings.admits(address)) else {
        client.deadlines.auth = None;
        return Next::Go(Step::Route);
    };
    let (now, limits) = (cx.reactor.now(), &core.settings.limits);
    let request = Request::from(&*exchange.request);
    match door.knock(&request, (address, token), now, &mut *core.hasher, limits.passwords) {
        Knock::In(accepted) => {
            client.deadlines.auth = None;
            let_in(exchange, accepted, door.side());
            Next::Go(Step::Route)
        }
        Knock::Wait => {
            client.deadlines.auth.get_or_insert(now.mono + limits.password_timeout);
            Next::Park
        }
        Knock::Out(error) => Next::Go(client.fail(&error, cx)),
    }
}

/// The credentials have served: from here on there are none, so that no origin sees them, and the
/// cache takes no answer for this user's own. Those for a proxy end at this hop of themselves.
fn let_in(exchange: &mut Exchange, accepted: Accepted, side: Side) {
    if side == Side::Origin {
        exchange.request = Rc::new(exchange.request.without(side.credentials()));
        exchange.journal.request = Some(Rc::clone(&exchange.request));
    }
    exchange.journal.note(Event::Recognized(Arc::clone(&accepted.user)));
    exchange.info = accepted.info.map(|value| AuthInfo { name: side.info(), value });
}
