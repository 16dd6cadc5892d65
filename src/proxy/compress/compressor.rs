//! The compressor: reads content, and writes it in a coding to a response in flight.

use std::io;
use std::time::Instant;

use crate::cache::{CacheKey, Content};
use crate::coding::{Encoded, Encoder};
use crate::http::{ContentCoding, Fields};
use crate::proxy::error::ExchangeError;
use crate::proxy::jobs::{JobId, Lane};
use crate::proxy::mail::Mail;
use crate::proxy::shared::Shared;
use crate::proxy::transfer::body::Retention;
use crate::proxy::transfer::coded_responses::Uncoded;
use crate::proxy::transfer::pending_response::PendingResponse;
use crate::proxy::transfer::readers::ReaderKey;
use crate::reactor::{Arena, Driven, Id, Reactor, Token, Wake};

use super::input::{Input, Uncompressed};

/// Most bytes that are coded on the loop at a time, which takes less than half a millisecond. More of them
/// are worth the way to a thread and back.
const ON_LOOP: usize = 8 * 1024;

/// Content that a client wants in a coding.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) content: Uncompressed,
    pub(crate) coding: ContentCoding,
    /// Key under which the content may be stored.
    pub(crate) key: Option<CacheKey>,
}

/// Content that is being coded.
#[derive(Debug)]
pub(crate) struct Compressor {
    id: Id<Self>,
    input: Input,
    name: Option<Uncoded>,
    coding: ContentCoding,
    key: Option<CacheKey>,
    /// The encoder, unless a thread has it.
    encoder: Option<Encoder>,
    job: Option<JobId>,
    trailers: Option<Fields>,
    /// Time at which clients that hold up others are dropped.
    patience: Option<Instant>,
    /// The response that the compressor fills. Its head is that of the content, which clients know.
    output: Id<PendingResponse>,
    /// Bytes counted as memory of connections.
    pub(crate) held: usize,
}

/// Result of a step.
enum Step {
    /// The compressor is woken for more.
    Park,
    /// There is more to do.
    GoOn,
    Complete,
}

impl Driven for Compressor {
    const KIND: u8 = 14;
}

impl Compressor {
    /// Has content coded for `client`, or lets the client read what is being coded for others. `None` if
    /// memory is short: the client gets the content as it is.
    pub(crate) fn begin(
        order: Order,
        client: Token,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
        compressors: &mut Arena<Self>,
    ) -> Option<(Id<PendingResponse>, ReaderKey)> {
        let (name, coding) = (order.content.name(), order.coding);
        if let Some(response) = name.and_then(|name| shared.coded.find(name, coding))
            && let Some(pending) = shared.responses.get_mut(response)
            && let Some(reader) = pending.body.attach(client)
        {
            return Some((response, reader));
        }
        if !shared.coded.has_room(coding, &shared.memory) {
            shared.counters.compression.refused += 1;
            return None;
        }
        let encoder = Encoder::new(coding).ok()?;
        let begun = compressors.try_insert_with(|id| {
            let input = Input::begin(order.content, id.token(), shared).ok_or(())?;
            let retain = match order.key.is_some() && shared.cache.is_on() {
                true => Retention::Full,
                false => Retention::Window,
            };
            let window = shared.settings.limits.window.0;
            let output = PendingResponse::new(id.token(), retain, window);
            let mut held = 0;
            shared.memory.count(&mut held, Encoder::weight(coding));
            Ok::<_, ()>(Self {
                id,
                input,
                name,
                coding,
                key: order.key,
                encoder: Some(encoder),
                job: None,
                trailers: None,
                patience: None,
                output: shared.responses.insert(output),
                held,
            })
        });
        let id = begun.ok()?;
        let output = compressors.get(id)?.output;
        shared.coded.begin(name, coding, output);
        reactor.wake(id.token());
        let reader = shared.responses[output].body.attach(client)?;
        Some((output, reader))
    }

    /// Codes content until there is none, or a thread works. Returns false once the compressor has ended.
    pub(crate) fn drive(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) -> bool {
        match self.step(reactor, shared) {
            Ok(Step::Park) => return true,
            Ok(Step::GoOn) => {
                reactor.wake(self.id.token());
                return true;
            }
            Ok(Step::Complete) => self.complete(reactor, shared),
            Err(error) => shared.responses[self.output].fail(error, reactor),
        }
        self.release(reactor, shared);
        false
    }

    fn step(
        &mut self,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Result<Step, ExchangeError> {
        let body = &mut shared.responses[self.output].body;
        if !body.has_readers() {
            return Err(ExchangeError::ClientGone);
        }
        if let Some(job) = self.job {
            let Some(encoded) = shared.jobs.take::<io::Result<Encoded>>(job) else {
                return Ok(Step::Park);
            };
            self.job = None;
            return self.take(encoded.map_err(|_| ExchangeError::Overloaded)?, reactor, shared);
        }
        if body.room(shared.memory.window()) == 0 {
            self.await_readers(reactor, shared);
            return Ok(Step::Park);
        }
        self.patience = None;
        let token = self.id.token();
        let Some(piece) = self.input.next(token, reactor, shared)? else { return Ok(Step::Park) };
        let Some(encoder) = self.encoder.take() else { return Ok(Step::Complete) };
        shared.counters.compression.input += piece.bytes.len() as u64;
        self.trailers = piece.trailers;
        let (bytes, next) = (piece.bytes, piece.next);
        if bytes.len() <= ON_LOOP {
            let encoded = encoder.encode(&bytes, next).map_err(|_| ExchangeError::Overloaded)?;
            return self.take(encoded, reactor, shared);
        }
        shared.counters.compression.jobs += 1;
        let work = move || encoder.encode(&bytes, next);
        let begun = shared.jobs.begin((Lane::Coding, token), work, reactor);
        self.job = Some(begun.map_err(|_| ExchangeError::Overloaded)?);
        Ok(Step::Park)
    }

    /// Waits for readers, as long as a fetch does: those that hold up others are dropped then.
    fn await_readers(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        let now = reactor.now().mono;
        let body = &mut shared.responses[self.output].body;
        if !body.is_shared() {
            return;
        }
        let until = *self.patience.get_or_insert(now + shared.settings.limits.lag_timeout);
        if now < until {
            reactor.set_deadline(self.id.token(), Some(until));
        } else {
            self.patience = None;
            body.drop_stalled(reactor);
        }
    }

    /// Publishes coded content.
    fn take(
        &mut self,
        encoded: Encoded,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Result<Step, ExchangeError> {
        shared.counters.compression.output += encoded.bytes.len() as u64;
        self.encoder = encoded.encoder;
        let body = &mut shared.responses[self.output].body;
        let mut content = Content::default();
        content.restart(body.end());
        content.push(encoded.bytes);
        body.append(content, reactor);
        self.account(reactor, shared);
        Ok(if self.encoder.is_some() { Step::GoOn } else { Step::Complete })
    }

    /// Accounts for content that is kept for the cache. Once there is too much of it, content is only
    /// passed on, to the readers that keep up.
    fn account(&self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        let fits = shared.account(self.output);
        let body = &mut shared.responses[self.output].body;
        let is_short = shared.cache.accepts_length(body.buffered());
        if body.retention() == Retention::Full && !(fits && is_short) {
            body.stop_retaining();
            body.drop_lagging(reactor);
            shared.account(self.output);
        }
    }

    /// Ends the content, and attaches it to the stored object.
    fn complete(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        let object = self.input.object(shared);
        let response = &mut shared.responses[self.output];
        response.finish(self.trailers.take(), reactor);
        if let Some((object, key)) = object.zip(self.key.as_ref())
            && response.body.retention() == Retention::Full
            && object.content.is_whole()
        {
            let form = response.body.content();
            if shared.cache.attach(key, &object, self.coding, form) {
                shared.responses[self.output].object = Some(object);
            }
        }
        shared.account(self.output);
    }

    fn release(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        self.input.release(reactor, shared);
        self.job.take().into_iter().for_each(|job| shared.jobs.leave(job));
        shared.memory.count(&mut self.held, 0);
        shared.coded.end(self.name, self.coding);
        shared.account(self.output);
        shared.release_response(self.output, reactor);
    }
}
