//! Requests of clients, and the expected response to each.

use tidegate::http::{Method, Name, ResponseHead, write_chunk_size, write_last_chunk};
use tidegate::reactor::sim::Rng;

use crate::members::SITE;
use crate::origin::sum;
use crate::plan::{ACCEPTS, KINDS, Plan, Resources, authority};

pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) bytes: Vec<u8>,
    expected: Expected,
    /// Value of its Accept-Encoding; empty without the field.
    accept: &'static str,
    /// The request needs a password verification, which may take too long.
    hashed: bool,
    /// The request is for a member of a group, which a reverse proxy chooses.
    is_of_site: bool,
}

/// Properties of a run on which requests depend.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// The proxy requires authentication.
    pub(crate) users: bool,
    /// Percentage of the uploads that go to the origin with TLS.
    pub(crate) secure: u32,
    /// The proxy is a reverse proxy.
    pub(crate) is_reverse: bool,
}

/// The user of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum User {
    /// The proxy requires no authentication.
    NotRequired,
    /// A client without credentials, although the proxy requires them.
    Anonymous,
    /// alice, with her password.
    Alice,
    /// A client with a wrong password.
    Guesser,
}

impl User {
    /// Draws a user for a proxy that requires authentication.
    pub(crate) fn draw(rng: &mut Rng) -> Self {
        *rng.pick(&[Self::Anonymous, Self::Alice, Self::Alice, Self::Alice, Self::Guesser])
    }

    fn field(self, rng: &mut Rng) -> String {
        match self {
            Self::NotRequired | Self::Anonymous => String::new(),
            Self::Alice => "Proxy-Authorization: Basic YWxpY2U6c2VjcmV0\r\n".into(),
            Self::Guesser => {
                let other = rng.below(4); // some clients guess the same password
                format!("Proxy-Authorization: Basic YWxpY2U6d3Jvbmc{other}\r\n")
            }
        }
    }

    const fn is_refused(self) -> bool {
        matches!(self, Self::Anonymous | Self::Guesser)
    }
}

enum Expected {
    /// The content of a plan, of a kind, or none of it for HEAD.
    Content { plan: usize, kind: &'static str, head_only: bool },
    /// The bytes from `first` to `last`, both included; the complete content is accepted too.
    Part { plan: usize, kind: &'static str, first: usize, last: usize },
    /// Exactly these bytes.
    Text(Vec<u8>),
    /// A response of the proxy itself with this status.
    Refusal(u16),
}

impl Ask {
    /// Draws a request.
    pub(crate) fn draw(plans: &[Plan], run: Run, rng: &mut Rng) -> Self {
        let plan = rng.below(plans.len());
        let kind = *rng.pick(&KINDS);
        let (mut uri, mut host) = plans[plan].uri();
        if run.is_reverse {
            (uri, host) = (plans[plan].path.clone(), SITE);
        }
        let length = plans[plan].length;
        let accept = *rng.pick(&ACCEPTS);
        let mut kind_line = String::new();
        if !kind.is_empty() {
            kind_line += &format!("X-Kind: {kind}\r\n");
        }
        if !accept.is_empty() {
            kind_line += &format!("Accept-Encoding: {accept}\r\n");
        }
        let head = |method: &str, more: &str| {
            format!("{method} {uri} HTTP/1.1\r\nHost: {host}\r\n{kind_line}{more}\r\n")
        };
        let ask = match rng.below(21) {
            0 => Self::new(
                Method::Head,
                head("HEAD", ""),
                Expected::Content { plan, kind, head_only: true },
            ),
            1..=3 if length > 0 => {
                let first = rng.below(length);
                let last = first + rng.below(length - first);
                let range = format!("Range: bytes={first}-{last}\r\n");
                Self::new(
                    Method::Get,
                    head("GET", &range),
                    Expected::Part { plan, kind, first, last },
                )
            }
            4 | 5 => Self::upload(run, rng),
            6 if !run.is_reverse => {
                let denied =
                    "GET http://denied.test/ HTTP/1.1\r\nHost: denied.test\r\n\r\n".to_owned();
                Self::new(Method::Get, denied, Expected::Refusal(403))
            }
            7 if !run.is_reverse => {
                let nowhere = "GET http://nowhere.test/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
                Self::new(Method::Get, nowhere, Expected::Refusal(502))
            }
            8 => {
                let reload = head("GET", "Cache-Control: no-cache\r\n");
                Self::new(Method::Get, reload, Expected::Content { plan, kind, head_only: false })
            }
            9 if !run.is_reverse => {
                let other = "GET https://other.test:8443/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned();
                Self::new(Method::Get, other, Expected::Refusal(502))
            }
            _ => Self::new(
                Method::Get,
                head("GET", ""),
                Expected::Content { plan, kind, head_only: false },
            ),
        };
        Self { accept, is_of_site: run.is_reverse, ..ask }
    }

    fn new(method: Method, head: String, expected: Expected) -> Self {
        Self {
            method,
            bytes: head.into_bytes(),
            expected,
            accept: "",
            hashed: false,
            is_of_site: false,
        }
    }

    /// Returns the same request with the credentials of `user`.
    pub(crate) fn of(mut self, user: User, rng: &mut Rng) -> Self {
        let line_end = self.bytes.windows(2).position(|pair| pair == b"\r\n").unwrap() + 2;
        self.bytes.splice(line_end..line_end, user.field(rng).into_bytes());
        self.hashed = matches!(user, User::Alice | User::Guesser);
        if user.is_refused() {
            self.expected = Expected::Refusal(407);
        }
        self
    }

    fn upload(run: Run, rng: &mut Rng) -> Self {
        let length = *rng.pick(&[0, 10, 5000, 100_000]);
        let content: Vec<u8> = (0..length).map(|_| rng.next().to_le_bytes()[0]).collect();
        let (method, name) = *rng.pick(&[(Method::Post, "POST"), (Method::Put, "PUT")]);
        let (scheme, host) = authority(rng.percent(run.secure));
        let target = match run.is_reverse {
            true => "/up".to_owned(),
            false => format!("{scheme}://{host}/up"),
        };
        let id = rng.next();
        let head = format!("{name} {target} HTTP/1.1\r\nHost: {host}\r\nX-Id: {id}\r\n");
        let text = format!("{} {}", content.len(), sum(&content));
        let mut bytes = head.into_bytes();
        if rng.percent(50) {
            bytes.extend_from_slice(b"Transfer-Encoding: chunked\r\n\r\n");
            for chunk in content.chunks(1000) {
                write_chunk_size(&mut bytes, chunk.len());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            write_last_chunk(&mut bytes, None);
        } else {
            bytes.extend_from_slice(format!("Content-Length: {length}\r\n\r\n").as_bytes());
            bytes.extend_from_slice(&content);
        }
        Self { bytes, ..Self::new(method, String::new(), Expected::Text(text.into_bytes())) }
    }

    /// Draws a tunnel to an echo; the bytes to send through it are part of the request.
    pub(crate) fn tunnel(rng: &mut Rng) -> Self {
        let length = *rng.pick(&[0, 10, 50_000]);
        let content: Vec<u8> = (0..length).map(|_| rng.next().to_le_bytes()[0]).collect();
        let mut bytes = b"CONNECT o.test:443 HTTP/1.1\r\nHost: o.test:443\r\n\r\n".to_vec();
        bytes.extend_from_slice(&content);
        Self { bytes, ..Self::new(Method::Connect, String::new(), Expected::Text(content)) }
    }

    /// Asserts that the received part of a response is correct. The proxy's own errors are checked
    /// when complete.
    pub(crate) fn judge_prefix(&self, head: &ResponseHead, content: &[u8], plans: &[Plan]) {
        if !is_own_error(head) && !is_busy(head) {
            let whole = self.whole(head, plans);
            assert!(whole.starts_with(content), "the received part is not a prefix of the content");
        }
    }

    /// Checks a complete response. Returns true if it is the expected one, false if it is an error
    /// of the proxy.
    pub(crate) fn judge_whole(
        &self,
        head: &ResponseHead,
        content: &[u8],
        resources: &Resources,
    ) -> bool {
        if self.hashed && is_own_error(head) && head.status().code() == 503 {
            return false;
        }
        if let Expected::Refusal(status) = self.expected {
            assert_eq!(head.status().code(), status);
            return true;
        }
        if is_own_error(head) {
            let status = head.status().code();
            let is_known =
                matches!(status, 502 | 504) || (matches!(status, 500 | 503) && self.is_of_site);
            assert!(is_known, "{head:?}");
            return false;
        }
        if is_busy(head) {
            return false;
        }
        if let Some(plan) = self.plan_ended_by_alert(&resources.plans) {
            let mut lengths = resources.lengths(plan).into_iter();
            let is_whole = lengths.any(|length| self.is_whole_of(head, content, length, plan));
            assert!(is_whole, "a truncated response looks complete: {} {head:?}", content.len());
            return true;
        }
        let whole = self.whole(head, &resources.plans);
        assert_eq!(
            content.len(),
            whole.len(),
            "a response that looks complete is incomplete: {head:?}"
        );
        assert_eq!(content, whole);
        true
    }

    /// Returns the plan of a response whose content is whole only if `close_notify` has ended it.
    fn plan_ended_by_alert<'a>(&self, plans: &'a [Plan]) -> Option<&'a Plan> {
        let (Expected::Content { plan, head_only: false, .. } | Expected::Part { plan, .. }) =
            self.expected
        else {
            return None;
        };
        Some(&plans[plan]).filter(|plan| plan.ends_by_alert())
    }

    /// Returns true if the response is what this request selects of a content that ends at `length`.
    fn is_whole_of(&self, head: &ResponseHead, content: &[u8], length: usize, plan: &Plan) -> bool {
        let all = |kind| &self.content(head, plan, kind)[..length];
        match (&self.expected, head.status().code()) {
            (Expected::Content { kind, .. }, 200) => content == all(kind),
            (Expected::Part { kind, .. }, 200) => content == all(kind),
            (Expected::Part { kind, first, last, .. }, 206) => {
                all(kind).get(*first..length.min(*last + 1)) == Some(content)
            }
            (Expected::Part { first, .. }, 416) => *first >= length,
            _ => false,
        }
    }

    /// Returns true if `close_notify` has ended a content of this length before its last byte.
    pub(crate) fn is_ended_early(&self, length: usize, plans: &[Plan]) -> bool {
        let is_content = matches!(self.expected, Expected::Content { .. });
        is_content && self.plan_ended_by_alert(plans).is_some_and(|plan| length < plan.length)
    }

    /// Returns true if the whole response was fetched over TLS.
    pub(crate) fn is_secure(&self, plans: &[Plan]) -> bool {
        match self.expected {
            Expected::Content { plan, .. } | Expected::Part { plan, .. } => plans[plan].is_secure,
            _ => false,
        }
    }

    fn whole<'a>(&'a self, head: &ResponseHead, plans: &'a [Plan]) -> &'a [u8] {
        match &self.expected {
            Expected::Content { plan, kind, head_only } => {
                let content = self.content(head, &plans[*plan], kind);
                if *head_only { &[] } else { content }
            }
            Expected::Part { plan, kind, first, last } => {
                let content = self.content(head, &plans[*plan], kind);
                if head.status().code() == 200 { content } else { &content[*first..=*last] }
            }
            Expected::Refusal(_) => &[],
            Expected::Text(text) => text,
        }
    }

    /// Returns the content of a plan in the content coding of the response, which must be the
    /// origin's choice.
    fn content<'a>(&self, head: &ResponseHead, plan: &'a Plan, kind: &str) -> &'a [u8] {
        let coding = head.fields().only(Name::ContentEncoding).filter(|_| !is_coded_here(head));
        let coding = coding.map_or("identity", |coding| std::str::from_utf8(coding).unwrap());
        assert_eq!(coding, plan.coding(self.accept), "for '{}': {head:?}", self.accept);
        plan.content(kind, coding)
    }
}

/// Returns true if a member of a group says that it is busy.
pub(crate) fn is_busy(head: &ResponseHead) -> bool {
    head.status().code() == 503 && head.fields().all_named(b"X-Busy").next().is_some()
}

/// Returns true if the proxy has compressed the content: all tags of origins are strong.
pub(crate) fn is_coded_here(head: &ResponseHead) -> bool {
    let tag = head.fields().only(Name::ETag).unwrap_or_default();
    head.fields().has(Name::ContentEncoding) && tag.starts_with(b"W/")
}

fn is_own_error(head: &ResponseHead) -> bool {
    head.fields().has(Name::ProxyStatus)
}
