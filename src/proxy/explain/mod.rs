//! Explanations: the decisions about a hypothetical request, step by step. Only name servers are
//! contacted.

mod outlook;
pub(super) mod query;

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use crate::access::{AddressClass, Host, RuleDecision, RuleRef};
use crate::http::{RequestHead, ServerCodec, ServerEvent};
use crate::proxy::auth::path_of;
use crate::proxy::error::ExchangeError;
use crate::proxy::mail::Mail;
use crate::proxy::observe::exchange_record::ExchangeRecord;
use crate::proxy::observe::listener::{ListenerInfo, ListenerKind};
use crate::proxy::observe::trace_event::{Permit, TraceEvent};
use crate::proxy::origin::dial::Dial;
use crate::proxy::routing;
use crate::proxy::routing::client_address::Behind;
use crate::proxy::routing::decision::Routed;
use crate::proxy::routing::route::{Origin, Route};
use crate::proxy::shared::Shared;
use crate::reactor::{Driven, Reactor, Token};
use crate::throttle::BanAction;
use crate::time::Now;
use crate::tls::Facts;

use outlook::{Outlook, outlook};
use query::ExplainQuery;

/// Most rules that depend on addresses in one explanation.
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

/// Refusal of a request.
enum Refusal {
    /// The client gets an error response.
    Answered(ExchangeError),
    /// The connection is closed without a response.
    Dropped(ExchangeError),
}

impl From<ExchangeError> for Refusal {
    fn from(error: ExchangeError) -> Self {
        Self::Answered(error)
    }
}

impl Explainer {
    pub(super) fn new(question: ExplainQuery, now: Now, shared: &Shared) -> Self {
        let listener = listener_for(&question, shared);
        let is_reverse = shared.settings.service(listener.service()).is_reverse();
        let question = question.into_sent(is_reverse);
        let client = SocketAddr::new(question.client, 0);
        let mut record = ExchangeRecord::new(now, client, listener);
        let ExplainQuery { method, url, client, certificate, .. } = &question;
        let has_tls = listener.kind() == ListenerKind::Tls || certificate.is_some();
        record.tls = has_tls.then(|| Arc::new(Facts::assumed(certificate.as_deref())));
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
            && let Err(refusal) = self.ask(owner, reactor.now(), shared)
        {
            self.record.add(match refusal {
                Refusal::Answered(error) => TraceEvent::Failed(error),
                Refusal::Dropped(error) => TraceEvent::Dropped(error),
            });
            return Poll::Ready(self.explanation());
        }
        let Some((_, route)) = &self.asked else {
            return Poll::Ready(self.explanation());
        };
        let route = Arc::clone(route);
        let Some((origin, dial)) = &mut self.origin else {
            self.conclude_for_group(&route, reactor.now(), shared);
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
                let outlook = self.outlook(&route, true, reactor.now(), shared);
                self.allow(to, outlook);
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
    ///
    /// # Errors
    /// Returns the refusal if the request is denied or refused.
    fn ask(&mut self, owner: Token, now: Now, shared: &mut Shared) -> Result<(), Refusal> {
        let settings = Arc::clone(&shared.settings);
        let request = Arc::new(self.read(shared)?);
        let service = settings.service(self.record.listener.service());
        let behind =
            Behind::of(self.record.peer(), request.fields(), &settings, service.is_reverse());
        self.record.behind = behind.client;
        self.check_bans(now, shared)?;
        if self.record.listener.kind() == ListenerKind::Redirect {
            self.answer_here("answered by the proxy itself: a redirection to https");
            return Ok(());
        }
        // Clients that may not use the listener or the route are not asked to authenticate.
        if service.admits(self.record.client.ip())
            && routing::may_use(&request, &self.record, &settings)
        {
            self.check_user(&request, shared)?;
        }
        shared.locate(&mut self.record);
        if let Some(located) = self.record.located {
            self.record.add(TraceEvent::Located(self.record.client.ip(), located));
        }
        let route = match routing::route(
            &request,
            &mut self.record,
            &settings,
            &shared.origins.interfaces,
        )? {
            Routed::Fetch(_)
                if request.method_name() == "PURGE"
                    && settings.may_purge(self.record.client.ip()) =>
            {
                self.answer_here("answered by the proxy itself: a purge");
                return Ok(());
            }
            Routed::Fetch(route) | Routed::Tunnel(route) => Arc::new(route),
            Routed::Here | Routed::Redirect(..) | Routed::Answer(..) | Routed::Folder(..) => {
                self.answer_here("answered by the proxy itself");
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

    /// Traces a response of the proxy itself.
    fn answer_here(&mut self, how: &'static str) {
        self.record.add(TraceEvent::Looked(how.into()));
        self.record.add(TraceEvent::Allowed(Vec::new()));
    }

    /// Checks whether the client is banned: as the peer of a connection, or behind trusted proxies.
    fn check_bans(&mut self, now: Now, shared: &Shared) -> Result<(), Refusal> {
        let ban_of = |address| Some((address, shared.throttling.ban_of(address, now.mono)?));
        let of_peer = ban_of(self.record.client.ip());
        let of_peer = of_peer.filter(|(_, (action, _))| *action == BanAction::Drop);
        let ban = of_peer.or_else(|| ban_of(self.record.behind));
        let Some((address, (action, left))) = ban else { return Ok(()) };
        self.record.add(TraceEvent::Banned(address, action, left));
        match action {
            BanAction::Delay => Ok(()),
            BanAction::TooMany => Err(Refusal::Answered(ExchangeError::Banned(left))),
            BanAction::Drop => Err(Refusal::Dropped(ExchangeError::Banned(left))),
        }
    }

    /// Checks that the user is known, or that none is needed.
    fn check_user(&mut self, request: &RequestHead, shared: &Shared) -> Result<(), ExchangeError> {
        let authentication = shared.authentications.get(&self.record.auth_scope());
        let Some(user) = &self.question.user else {
            return authentication.map_or(Ok(()), |it| it.check_user(None, path_of(request)));
        };
        let ignorant = authentication.filter(|it| !it.knows(user, path_of(request)));
        if let Some(authentication) = ignorant {
            return Err(ExchangeError::NoSuchUser(authentication.side()));
        }
        self.record.add(TraceEvent::Recognized(user.as_str().into()));
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

    /// Decides about a request for a group: it is refused if no member can be used, unless the cache has a
    /// response.
    fn conclude_for_group(&mut self, route: &Route, now: Now, shared: &mut Shared) {
        let failure = self.tell_group(route, now, shared);
        let outlook = self.outlook(route, failure.is_none(), now, shared);
        match failure.filter(|_| outlook.asks_origin) {
            Some(error) => self.record.add(TraceEvent::Failed(error)),
            None => self.allow(Vec::new(), outlook),
        }
    }

    /// Traces the group that the route leads to, and its members. Returns the error if none of them can be
    /// used.
    fn tell_group(
        &mut self,
        route: &Route,
        now: Now,
        shared: &mut Shared,
    ) -> Option<ExchangeError> {
        let settings = route.group()?;
        let name = Arc::clone(&settings.name);
        let groups = &mut shared.origins.groups;
        let Some(id) = groups.find(&name) else {
            // No proxy runs that would know the states of the members.
            let members = settings.members.iter().map(|url| url.text().to_string()).collect();
            self.record.add(TraceEvent::Grouped(name, members));
            return None;
        };
        let request = self.asked.as_ref().map(|(request, _)| request);
        let sticky = request.and_then(|request| settings.sticky_number(request));
        let is_usable = groups.is_usable(id, sticky, now.mono);
        let group = groups.get(id)?;
        self.record.add(TraceEvent::Grouped(name, group.describe(now.mono)));
        (!is_usable).then(|| ExchangeError::NoMember(group.describe_down(now.mono).into()))
    }

    /// Returns what the cache would do.
    fn outlook(&self, route: &Route, is_reachable: bool, now: Now, shared: &mut Shared) -> Outlook {
        match &self.asked {
            Some((request, _)) => {
                outlook((request, &self.record), route, is_reachable, now, shared)
            }
            None => Outlook { findings: Vec::new(), asks_origin: true },
        }
    }

    /// Traces that the request is allowed, to these addresses, and what the cache would do.
    fn allow(&mut self, to: Vec<SocketAddr>, outlook: Outlook) {
        self.record.add(TraceEvent::Allowed(to));
        outlook.findings.into_iter().for_each(|finding| self.record.add(finding));
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

/// Returns the listener that receives a request: the one that the query names, otherwise the first. Sites
/// are reached at the first listener for the scheme of the URL.
fn listener_for(query: &ExplainQuery, shared: &Shared) -> ListenerInfo {
    if let Some(address) = query.listener {
        return shared.listener_at(address);
    }
    let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
    let first = shared.origins.interfaces.listeners().first().copied().unwrap_or(nowhere);
    let first = shared.listeners.first().copied().unwrap_or_else(|| shared.listener_at(first));
    let is_reverse =
        |listener: &ListenerInfo| shared.settings.service(listener.service()).is_reverse();
    let is_secure = query.url.starts_with("https://");
    let fits = |listener: &&ListenerInfo| {
        is_reverse(listener) && (listener.kind() == ListenerKind::Tls) == is_secure
    };
    let fitting = is_reverse(&first).then(|| shared.listeners.iter().find(fits)).flatten();
    fitting.copied().unwrap_or(first)
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
