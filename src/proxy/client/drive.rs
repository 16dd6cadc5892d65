//! The loop that drives a client through its steps.

use crate::proxy::error::{ExchangeError, Timeout};
use crate::proxy::observe::reason::Reason;
use crate::proxy::timers::is_past;
use crate::reactor::Wake;

use super::connection::Client;
use super::context::ClientCx;
use super::step::{Next, Step};

impl Client {
    /// Goes from step to step until something has to happen first. A deadline counts once nothing
    /// that has come in time can be done any more, so that a loop that is late blames no peer.
    pub(crate) fn drive(&mut self, cx: &mut ClientCx<'_>) -> Next {
        loop {
            let next = match self.step {
                Step::Receive => super::receive(self, cx),
                Step::Auth => super::auth(self, cx),
                Step::Route => super::route(self, cx),
                Step::Resolve => super::resolve(self, cx),
                Step::Connect => super::connect(self, cx),
                Step::Lookup => super::lookup(self, cx),
                Step::Wait => super::wait(self, cx),
                Step::Deliver => super::deliver(self, cx),
                Step::Transmit => super::transmit(self, cx),
                Step::Finish => super::finish(self, cx),
                Step::Close => super::close(self, cx),
            };
            match next {
                Next::Go(step) => self.step = step,
                Next::Park => match self.handle_timeouts(cx) {
                    Next::Go(step) => self.step = step,
                    Next::Park => break,
                    over => return over,
                },
                Next::Gone | Next::HandedOver => return next,
            }
            if cx.budget.is_spent() {
                break;
            }
        }
        if cx.budget.is_spent() {
            cx.reactor.wake(self.token());
        }
        cx.reactor.set_deadline(self.token(), self.next_deadline());
        Next::Park
    }

    /// Gives up what has been waited for too long, one thing at a time. `Park` if there is nothing.
    fn handle_timeouts(&mut self, cx: &mut ClientCx<'_>) -> Next {
        let now = cx.now();
        let deadlines = &mut self.deadlines;
        if is_past(deadlines.linger, now) {
            return Next::Gone;
        }
        if is_past(deadlines.send, now) {
            if let Some(exchange) = &mut self.exchange {
                exchange.record.reason = Some(Timeout::Send.into());
            }
            return Next::Gone;
        }
        if is_past(deadlines.request, now) {
            deadlines.request = None;
            return match self.head_began {
                None => Next::Gone, // idle for too long
                Some(_) => Next::Go(super::refuse(self, &ExchangeError::HeadTimeout, cx)),
            };
        }
        if is_past(deadlines.upload, now) {
            return Next::Go(super::give_up_upload(self, cx));
        }
        if is_past(deadlines.auth, now) {
            return Next::Go(super::auth_timed_out(self, cx));
        }
        if is_past(deadlines.joined, now) {
            return Next::Go(super::leave_joined_fetch(self, cx));
        }
        Next::Park
    }

    /// Ends a connection that its client has left.
    pub(crate) fn end(self, cx: &mut ClientCx<'_>) {
        self.end_for(ExchangeError::ClientGone.into(), cx);
    }

    /// The connection is over: lets go of everything, and writes down an exchange that was not
    /// finished, or a head that was not complete, with this reason unless there is one already.
    fn end_for(mut self, reason: Reason, cx: &mut ClientCx<'_>) {
        self.leave(cx, &ExchangeError::ClientGone);
        let reset = match self.exchange.take() {
            Some(mut exchange) => {
                exchange.record.reason.get_or_insert(reason);
                let sent = self.output.left().saturating_sub(exchange.sent_before);
                exchange.record.sent_in_all = sent;
                cx.shared.record(&exchange.record, cx.reactor.now());
                exchange.until_close
            }
            None => {
                if self.head_began.is_some() {
                    super::record_unanswered(&self, reason, cx);
                }
                false
            }
        };
        self.input.release(&mut cx.shared.buffers);
        self.hand_over(cx.reactor, cx.shared);
        cx.shared.admission.leave(self.network());
        if reset {
            cx.reactor.reset(self.io);
        } else {
            cx.reactor.close(self.io);
        }
    }

    /// Ends it before its time, for this reason.
    pub(crate) fn give_up(mut self, reason: Reason, cx: &mut ClientCx<'_>) {
        if let Some(exchange) = &mut self.exchange {
            exchange.record.reason = Some(reason.clone());
        }
        self.end_for(reason, cx);
    }
}
