//! Explanations: the decisions about a hypothetical request, step by step. Only name servers are
//! contacted.

pub(super) mod query;

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::access::{AddressClass, Host, RuleDecision, RuleRef};
use crate::cache::{Lookup, MissReason, ServeDecision};
use crate::http::{Method, RequestHead, ServerCodec, ServerEvent};
use crate::proxy::auth::path_of;
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::trace_event::{Permit, Stored, TraceEvent};
use crate::proxy::origin::dial::Dial;
use crate::proxy::routing;
use crate::proxy::routing::decision::Routed;
use crate::proxy::routing::request_facts::RequestFacts;
use crate::proxy::routing::route::{Origin, Route};
use crate::proxy::shared::Shared;
use crate::reactor::{Driven, Reactor, Token};
use crate::time::Now;
use crate::tls::Facts;

use query::ExplainQuery;

/// Most rules that depend on addresses, and most stored responses, in one explanation.
const MOST_SHOWN: usize = 64;

/// The explanation of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// True if the request would be allowed.
    pub allowed: bool,
    /// Text: a line per step.
    pub text: String,
    /// The same steps as a JSON object, in one line.
    pub json: String,
}

/// An explanation in progress. Its owner drives it.
#[derive(Debug)]
pub(super) struct Explainer {
    question: ExplainQuery,
    record: ExchangeRecord,
    /// The request and its route, once it was read and routed.
    asked: Option<(Arc<RequestHead>, Arc<Route>)>,
    /// The origin and its name lookup, unless the route leads to a group.
    origin: Option<(Arc<Origin>, Dial)>,
}

impl Explainer {
    pub(super) fn new(question: ExplainQuery, now: Now, shared: &Shared) -> Self {
        let listener =
            question.listener.or_else(|| shared.origins.interfaces.listeners().first().copied());
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let client = SocketAddr::new(question.client, 0);
        let listener = shared.listener_at(listener.unwrap_or(nowhere));
        let mut record = ExchangeRecord::new(now, client, listener);
        let ExplainQuery { method, url, client, certificate, .. } = &question;
        record.tls = certificate.as_deref().map(|name| Arc::new(Facts::assumed(name)));
        record.trace = Some(vec![TraceEvent::Asked(method.clone(), url.clone(), *client)]);
        Self { question, record, asked: None, origin: None }
    }

    /// Continues as far as possible; `Pending` while addresses are looked up, for which the owner
    /// is woken.
    pub(super) fn drive(
        &mut self,
        owner: Token,
        reactor: &mut Reactor<Mail>,
        shared: &mut Shared,
    ) -> Poll<Explanation> {
        if self.asked.is_none()
            && let Err(error) = self.ask(owner, reactor.now(), shared)
        {
            self.record.add(TraceEvent::Failed(error));
            return Poll::Ready(self.explanation());
        }
        let Some((_, route)) = &self.asked else {
            return Poll::Ready(self.explanation());
        };
        let route = Arc::clone(route);
        let Some((origin, dial)) = &mut self.origin else {
            self.tell_group(&route, reactor.now(), shared);
            self.record.add(TraceEvent::Allowed(Vec::new()));
            self.look(&route, reactor.now(), shared);
            return Poll::Ready(self.explanation());
        };
        let origin = Arc::clone(origin);
        let addresses = match self.question.addresses.as_slice() {
            assumed @ [_, ..] if origin.host.name().is_some() => Ok(assumed.into()),
            _ => match dial.all_addresses(reactor, &mut shared.origins) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(addresses) => addresses,
            },
        };
        match addresses.and_then(|addresses| self.check_addresses(&origin, &addresses, shared)) {
            Ok(to) => {
                self.record.add(TraceEvent::Allowed(to));
                self.look(&route, reactor.now(), shared);
            }
            Err(error) => self.record.add(TraceEvent::Failed(error)),
        }
        Poll::Ready(self.explanation())
    }

    /// Returns the time at which the owner must drive it again, if it waits for addresses.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.origin.as_ref().map(|(_, dial)| dial.next_deadline())
    }

    /// Cancels the name lookup.
    pub(super) fn cancel(&mut self, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        if let Some((_, dial)) = &mut self.origin {
            dial.cancel(reactor, &mut shared.origins);
        }
    }

    /// Reads and routes the request.
    fn ask(&mut self, owner: Token, now: Now, shared: &mut Shared) -> Result<(), ExchangeError> {
        let settings = Arc::clone(&shared.settings);
        let request = Arc::new(self.read(shared)?);
        self.record.auth_site = routing::auth_site(&request, &self.record, &settings);
        if let Some(user) = &self.question.user {
            if let Some(authentication) = shared
                .authentications
                .get(&self.record.auth_scope())
                .filter(|authentication| !authentication.knows(user, path_of(&request)))
            {
                return Err(ExchangeError::NoSuchUser(authentication.side()));
            }
            self.record.add(TraceEvent::Recognized(user.as_str().into()));
        } else if let Some(authentication) = shared.authentications.get(&self.record.auth_scope()) {
            authentication.check_user(None, path_of(&request))?;
        }
        let route = match routing::route(
            &request,
            &mut self.record,
            &settings,
            &shared.origins.interfaces,
        )? {
            Routed::Fetch(route) | Routed::Tunnel(route) => Arc::new(route),
            Routed::Here | Routed::Redirect(..) | Routed::Answer(..) => {
                self.record.add(TraceEvent::Looked("answered by the proxy itself"));
                self.record.add(TraceEvent::Allowed(Vec::new()));
                return Ok(());
            }
        };
        if let Some(origin) = route.origin() {
            self.trace_rules(&request, origin, shared)?;
            let dial = Dial::new(owner, Arc::clone(origin), None, &settings, now.mono);
            self.origin = Some((Arc::clone(origin), dial));
        }
        self.asked = Some((request, route));
        Ok(())
    }

    /// Parses the request as a client would send it.
    fn read(&self, shared: &Shared) -> Result<RequestHead, ExchangeError> {
        let ExplainQuery { method, url, fields, .. } = &self.question;
        let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
        let authority = authority.split(['/', '?']).next().unwrap_or_default();
        let mut head = format!("{method} {url} HTTP/1.1\r\nHost: {authority}\r\n");
        fields.iter().for_each(|field| head.extend([field.as_str(), "\r\n"]));
        head.push_str("\r\n");
        match ServerCodec::new().decode(head.as_bytes(), &shared.heads) {
            Ok((_, Some(ServerEvent::Request(head)))) => Ok(*head),
            Ok(_) => Err(ExchangeError::ClientGone),
            Err(refusal) => Err(ExchangeError::BadRequest(refusal)),
        }
    }

    /// Traces the rule that decides by the name, or the rules that depend on the addresses.
    fn trace_rules(
        &mut self,
        request: &RequestHead,
        origin: &Origin,
        shared: &Shared,
    ) -> Result<(), ExchangeError> {
        let Some(decision) = &origin.decision else { return Ok(()) };
        if decision.depends_on_address() {
            let rules = decision.undecided(&origin.host).take(MOST_SHOWN);
            rules.for_each(|rule| self.record.add(TraceEvent::Undecided(rule)));
        } else if decision.reported().is_none() {
            let rule = self.rule_for(request, origin, None, shared)?;
            self.record.add(TraceEvent::Decided(rule));
        }
        Ok(())
    }

    fn rule_for(
        &self,
        request: &RequestHead,
        origin: &Origin,
        address: Option<IpAddr>,
        shared: &Shared,
    ) -> Result<Option<RuleRef>, ExchangeError> {
        let context = self.record.request_context(request);
        let interfaces = shared.origins.interfaces.known()?;
        let policy = &shared.settings.destinations;
        Ok(policy.rule_for(&context, (&origin.host, origin.port), address, interfaces))
    }

    /// Checks each address; returns those that may be dialled.
    ///
    /// # Errors
    /// Returns the first denial if all addresses are denied.
    fn check_addresses(
        &mut self,
        origin: &Origin,
        addresses: &[IpAddr],
        shared: &Shared,
    ) -> Result<Vec<SocketAddr>, ExchangeError> {
        if matches!(origin.host, Host::Name(_)) {
            self.record.add(TraceEvent::Answered(addresses.to_vec()));
        }
        let depends = origin.decision.as_ref().is_some_and(RuleDecision::depends_on_address);
        let (mut allowed, mut denied) = (Vec::new(), None);
        for &address in addresses {
            let checked =
                origin.check_address(address, &shared.settings, &shared.origins.interfaces);
            let class = AddressClass::of(address);
            match checked {
                Ok(reported) => {
                    let is_reported = reported.is_some();
                    let rule = match (reported, &self.asked) {
                        (None, Some((request, ..))) if depends => {
                            self.rule_for(request, origin, Some(address), shared)?
                        }
                        (reported, _) => reported,
                    };
                    let policy = &shared.settings.destinations;
                    let exception = policy.exception_for(&origin.host, address).cloned();
                    let permit = Permit { rule, reported: is_reported, exception };
                    self.record.add(TraceEvent::Checked(address, class, Ok(permit)));
                    allowed.push(SocketAddr::new(address, origin.port));
                }
                Err(ExchangeError::Denied(denial)) => {
                    self.record.add(TraceEvent::Checked(address, class, Err(denial.clone())));
                    denied.get_or_insert(ExchangeError::Denied(denial));
                }
                Err(error) => return Err(error),
            }
        }
        match denied {
            Some(error) if allowed.is_empty() => Err(error),
            _ => Ok(allowed),
        }
    }

    /// Traces the group that the route leads to, and its members.
    fn tell_group(&mut self, route: &Route, now: Now, shared: &Shared) {
        let Some(settings) = route.group() else { return };
        let groups = &shared.origins.groups;
        let running = groups.find(&settings.name).and_then(|id| groups.get(id));
        let members = running.map(|group| group.describe(now.mono)).unwrap_or_default();
        self.record.add(TraceEvent::Grouped(Arc::clone(&settings.name), members));
    }

    /// Traces the stored responses, and what the cache would do.
    fn look(&mut self, route: &Route, now: Now, shared: &mut Shared) {
        let Some((request, ..)) = &self.asked else { return };
        if request.method() == Method::Connect {
            return self.record.add(TraceEvent::Looked("passed through a tunnel"));
        }
        let mut request = shared.present(request);
        let key = route.key(shared.cache.keys());
        self.record.add(TraceEvent::Keyed(key.uri().into()));
        for object in shared.cache.stored(&key).take(MOST_SHOWN) {
            let selected = object.selection.fits(&mut request);
            self.record.add(TraceEvent::Stored(Stored::of(object, selected, now.mono)));
        }
        let found = shared.cache.peek(&key, &mut request, now.mono);
        let barred = match &found {
            Lookup::Hit(object, _) | Lookup::Stale(object, _) | Lookup::Partial(object, _) => {
                !shared.may_reuse(route, object.origin_address)
            }
            Lookup::InFlight { .. } | Lookup::Miss(_) => false,
        };
        let upgrades = RequestFacts::of(request.head(), None, &shared.settings).upgrade.is_some();
        self.record.add(TraceEvent::Looked(match upgrades {
            true => would(&Lookup::<()>::Miss(MissReason::Method)),
            false if barred => {
                "would fetch it: the stored response is from an address denied to this client"
            }
            false => would(&found),
        }));
    }

    fn explanation(&mut self) -> Explanation {
        let trace = self.record.trace.take().unwrap_or_default();
        let allowed = trace.iter().any(|event| matches!(event, TraceEvent::Allowed(_)));
        let mut text = String::new();
        let mut json = format!("{{\"allowed\":{allowed},\"events\":[");
        for (at, event) in trace.iter().enumerate() {
            let _ = writeln!(text, "{event}"); // writing to a String does not fail
            if at > 0 {
                json.push(',');
            }
            event.json(&mut json);
        }
        json.push_str("]}\n");
        Explanation { allowed, text, json }
    }
}

/// Returns what the cache would do with a request.
const fn would<F>(found: &Lookup<F>) -> &'static str {
    match found {
        Lookup::Hit(_, ServeDecision::Fresh) => "would answer: the stored response is fresh",
        Lookup::Hit(_, ServeDecision::WhileRevalidating) => {
            "would answer with the stale response, and validate it in the background"
        }
        Lookup::Hit(..) => "would answer: the stored response is stale, but may be served",
        Lookup::Stale(_, ServeDecision::ValidateForRequest) => {
            "would validate the stored response, as the request demands"
        }
        Lookup::Stale(..) => "would validate the stored response",
        Lookup::Partial(..) => "would fetch the missing part of the stored response",
        Lookup::InFlight { .. } => "would wait for a fetch in flight",
        Lookup::Miss(MissReason::Uri) => "would fetch it: nothing is stored for this URL",
        Lookup::Miss(MissReason::Vary) => {
            "would fetch it: the stored responses are for other requests (Vary)"
        }
        Lookup::Miss(MissReason::Part) => "would fetch it: the stored response is incomplete",
        Lookup::Miss(MissReason::Method) => {
            "would forward it: responses to such a request are not stored"
        }
        Lookup::Miss(MissReason::Request) => "would forward it, as the request demands",
        Lookup::Miss(MissReason::Bypass) => "would forward it: the cache is off",
    }
}

/// An explanation for the embedder, kept until it is taken.
#[derive(Debug)]
pub(super) struct ExplainTask {
    explaining: Explainer,
    pub(super) answer: Option<Explanation>,
}

impl Driven for ExplainTask {
    const KIND: u8 = 9;
}

impl ExplainTask {
    pub(super) const fn new(explaining: Explainer) -> Self {
        Self { explaining, answer: None }
    }

    pub(super) fn drive(&mut self, token: Token, reactor: &mut Reactor<Mail>, shared: &mut Shared) {
        if let Poll::Ready(answer) = self.explaining.drive(token, reactor, shared) {
            self.answer = Some(answer);
        }
        let waits = self.answer.is_none();
        reactor.set_deadline(token, self.explaining.next_deadline().filter(|_| waits));
    }
}
