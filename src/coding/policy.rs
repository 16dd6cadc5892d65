//! Policy: which responses are sent in a coding.

use crate::http::cond::EntityTag;
use crate::http::{ContentCoding, Fields, Method, Name, RequestHead, Status};

use super::media_types::MediaRange;

/// Length of the shortest content that is coded unless the operator says otherwise, in bytes: below it,
/// content fits into one packet anyway.
const MIN_LENGTH: u64 = 1024;

/// Rules of the operator for compression; those that are not set are those of the process, or the default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompressionRules {
    /// Codings in the order of preference; none switches compression off.
    pub codings: Option<Vec<ContentCoding>>,
    /// Length of the shortest content that is coded, in bytes.
    pub min_length: Option<u64>,
    /// Media types that are coded; empty if not set.
    pub types: Vec<MediaRange>,
    /// True if responses that may hold secrets of a user are coded, too.
    pub private: Option<bool>,
}

impl CompressionRules {
    /// Codings by default: zstd first, which takes the least time for about the same size; then br, which
    /// makes content smallest; gzip for clients that know no other.
    pub const USUAL: [ContentCoding; 3] =
        [ContentCoding::Zstd, ContentCoding::Brotli, ContentCoding::Gzip];

    /// Returns the length of the shortest content that is coded where a route has no other, in bytes.
    #[must_use]
    pub fn min_length(&self) -> u64 {
        self.min_length.unwrap_or(MIN_LENGTH)
    }

    /// Returns the policy for a request, of the rules of its `route` and those of the process. `None` if
    /// compression is off.
    #[must_use]
    pub fn policy<'a>(&'a self, route: Option<&'a Self>) -> Option<Policy<'a>> {
        let route = route.unwrap_or(self);
        let codings = route.codings.as_deref().or(self.codings.as_deref()).unwrap_or_default();
        let types = if route.types.is_empty() { &self.types } else { &route.types };
        (!codings.is_empty()).then(|| Policy {
            codings,
            min_length: route.min_length.unwrap_or(self.min_length()),
            types,
            private: route.private.or(self.private).unwrap_or_default(),
        })
    }
}

/// Rules that apply to a request.
#[derive(Clone, Copy, Debug)]
pub struct Policy<'a> {
    codings: &'a [ContentCoding],
    min_length: u64,
    types: &'a [MediaRange],
    private: bool,
}

/// A request that is answered.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The request.
    pub request: &'a RequestHead,
    /// True if the client was authenticated otherwise than by the fields of this request.
    pub is_known: bool,
}

/// A response that could be coded.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: Status,
    /// The head as the client would get it.
    pub head: &'a Fields,
    /// The head as the origin sent it, which tells if the response is private.
    pub original: &'a Fields,
    /// True if the origin or the operator has said for how long all clients get this response, and that
    /// time is not over: it holds the secret of none.
    pub is_public: bool,
}

/// Decision about a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No client gets the response in a coding.
    Never(Uncoded),
    /// Other clients may get the response in a coding; this one does not.
    NotHere(Uncoded),
    /// The client gets the response in this coding.
    Coded(ContentCoding),
}

/// Reason for which content is sent without a coding of this proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncoded {
    /// The status is none of those whose content is coded.
    Status,
    /// The content has a coding, or is a part.
    Coded,
    /// The content is short.
    Short,
    /// The media type is none of those that are coded.
    Type,
    /// The request or the response has `no-transform` (RFC 9110 §7.7).
    NoTransform,
    /// The response has `Set-Cookie`, `private` or `no-store`.
    Private,
    /// The request has credentials, and the response is not public.
    Credentials,
    /// The method is neither GET nor HEAD.
    Method,
    /// The request is for a part.
    Part,
    /// The request accepts none of the codings, or likes content without a coding better.
    NotAccepted,
}

impl Uncoded {
    /// Returns the reason for people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Status => "content of responses with that status is not compressed",
            Self::Coded => "the content has a coding already, or is a part",
            Self::Short => "the content is short (--compress-min-length)",
            Self::Type => "content of that media type is not compressed (--compress-types)",
            Self::NoTransform => "no-transform forbids it",
            Self::Private => {
                "the response has Set-Cookie, private or no-store (--compress-private)"
            }
            Self::Credentials => {
                "the request has credentials, and no lifetime says that the response is the same for all \
                 (--compress-private)"
            }
            Self::Method => "responses to that method are not compressed",
            Self::Part => "the request is for a part of the content",
            Self::NotAccepted => "the request accepts none of the codings",
        }
    }
}

impl Policy<'_> {
    /// Returns true if the range of a request is not answered: its condition is a date, which is the same for
    /// content with and without a coding, and the client may have stored content in a coding.
    #[must_use]
    pub fn ignores_range(&self, request: &RequestHead) -> bool {
        let fields = request.fields();
        let condition = fields.get(Name::IfRange).filter(|_| fields.has(Name::Range));
        condition.is_some_and(|condition| EntityTag::parse(condition).is_none())
            && !ContentCoding::accepted(fields, self.codings).is_empty()
    }

    /// Decides if a response is coded.
    ///
    /// Content in which a secret stands beside text that an attacker chooses is not compressed: its length
    /// would tell if the text is like the secret (BREACH). Such content cannot be told from other content,
    /// so that all is left alone which may be for one user: responses with `Set-Cookie`, `private` or
    /// `no-store`, and those to requests with credentials, unless they are public.
    #[must_use]
    pub fn decide(&self, asker: Asker<'_>, answer: Answer<'_>) -> Verdict {
        if let Some(reason) = self.unfit(answer) {
            return Verdict::Never(reason);
        }
        let heads = [answer.head, answer.original];
        let is_public = answer.is_public && !heads.into_iter().any(varies_by_user);
        if let Some(reason) = self.unasked(asker, is_public) {
            return Verdict::NotHere(reason);
        }
        let accepted = ContentCoding::accepted(asker.request.fields(), self.codings);
        let best = accepted.first();
        best.map_or(Verdict::NotHere(Uncoded::NotAccepted), |&coding| Verdict::Coded(coding))
    }

    /// Returns the reason for which no client gets the response in a coding.
    fn unfit(&self, answer: Answer<'_>) -> Option<Uncoded> {
        let Answer { status, head, original, .. } = answer;
        let heads = [head, original];
        let has_any = |names: &[Name]| names.iter().any(|&name| head.has(name));
        let length = head.only(Name::ContentLength);
        let length = length.and_then(|text| std::str::from_utf8(text).ok()?.parse::<u64>().ok());
        let content_type = head.only(Name::ContentType).unwrap_or_default();
        let is_private = |head: &&Fields| {
            head.has(Name::SetCookie) || has_directive(head, &["private", "no-store"])
        };
        // The statuses whose content nginx compresses, and that of a transforming proxy.
        if !matches!(status.code(), 200 | 203 | 403 | 404) {
            Some(Uncoded::Status)
        } else if has_any(&[Name::ContentEncoding, Name::ContentRange, Name::TransferEncoding]) {
            Some(Uncoded::Coded)
        } else if length.is_some_and(|length| length < self.min_length) {
            Some(Uncoded::Short)
        } else if !MediaRange::any_covers(self.types, content_type) {
            Some(Uncoded::Type)
        } else if heads.iter().any(|head| has_directive(head, &["no-transform"])) {
            Some(Uncoded::NoTransform)
        } else if !self.private && heads.iter().any(is_private) {
            Some(Uncoded::Private)
        } else {
            None
        }
    }

    /// Returns the reason for which this client gets the response without a coding, beside the codings that
    /// the client accepts.
    fn unasked(&self, asker: Asker<'_>, is_public: bool) -> Option<Uncoded> {
        let fields = asker.request.fields();
        let has_credentials =
            asker.is_known || fields.has(Name::Cookie) || fields.has(Name::Authorization);
        if !matches!(asker.request.method(), Method::Get | Method::Head) {
            Some(Uncoded::Method)
        } else if fields.has(Name::Range) {
            Some(Uncoded::Part)
        } else if has_directive(fields, &["no-transform"]) {
            Some(Uncoded::NoTransform)
        } else if has_credentials && !is_public && !self.private {
            Some(Uncoded::Credentials)
        } else {
            None
        }
    }
}

/// Returns true if the response differs by credentials of users, whatever lifetime it has.
fn varies_by_user(head: &Fields) -> bool {
    let names: [&[u8]; 3] = [b"*", b"Cookie", b"Authorization"];
    let mut varying = head.elements(Name::Vary);
    varying.any(|name| names.iter().any(|known| name.eq_ignore_ascii_case(known)))
}

/// Returns true if `Cache-Control` has one of the directives, whatever its value.
fn has_directive(fields: &Fields, names: &[&str]) -> bool {
    fields.elements(Name::CacheControl).any(|element| {
        let end = element.iter().position(|&byte| byte == b'=').unwrap_or(element.len());
        let name = element[..end].trim_ascii();
        names.iter().any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    })
}
