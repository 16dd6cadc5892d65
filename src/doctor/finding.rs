//! Findings: what is wrong with a site, why that harms, and what to type.

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Clients see a failure.
    Error,
    /// The site works, but slower, less safely or by luck.
    Warning,
}

impl Severity {
    /// Returns the name for output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

macro_rules! words {
    ($($(#[$doc:meta])* $variant:ident $name:literal $severity:ident $meaning:literal $harm:literal $fix:literal;)*) => {
        /// Kind of a finding, by a word that never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Word { $(#[doc = $meaning] $variant,)* }

        impl Word {
            /// All kinds, in the order of output.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Returns the word.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// Returns the severity.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }

            /// Returns what is wrong, as a sentence without a full stop.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// Returns why that harms, as a sentence without a full stop.
            #[must_use]
            pub const fn harm(self) -> &'static str {
                match self { $(Self::$variant => $harm,)* }
            }

            /// Returns what usually ends it, in Markdown.
            #[must_use]
            pub const fn usual_fix(self) -> &'static str {
                match self { $(Self::$variant => $fix,)* }
            }
        }
    };
}

words! {
    OriginUnreachable "origin-unreachable" Error
        "The origin does not answer"
        "the proxy in front of it answers with an error in place of the page"
        "start the application, or correct `to`";
    RedirectLoop "redirect-loop" Error
        "Redirections lead back to a URL that was asked before"
        "browsers show an error in place of the page"
        "`trusted-proxy`, `set-request` or `host`, as the origin answers; else one redirection less";
    TooManyRedirects "too-many-redirects" Error
        "More than 20 redirections follow each other"
        "browsers stop and show an error in place of the page"
        "one redirection less";
    RedirectUnreachable "redirect-unreachable" Error
        "A redirection leads to a URL that does not answer"
        "browsers show an error in place of the page"
        "`listen-tls`, or the base URL of the application";
    InternalName "internal-name" Error
        "Links or redirections name the origin, or another host that only the operator's machines can reach"
        "clients cannot follow them, and see how the site is built"
        "`host = 'preserve'`, or the base URL of the application";
    ForwardedProto "forwarded-proto" Error
        "A page that is asked by https names its own host by http, as an application does that does not know that clients use TLS"
        "browsers block such scripts and style sheets, and send forms and cookies in the clear"
        "`trusted-proxy` or `set-request`; or the base URL of the application";
    WrongHost "wrong-host" Error
        "The origin gets another Host than the one it serves"
        "clients get the error or the page of another site"
        "`host = 'preserve'` or `host = 'origin'`";
    ErrorStatus "error-status" Error
        "The page is an error"
        "clients get no page; nothing else about it was examined"
        "`hosts`, `tidegate origin list` or `tidegate explain --live URL`";
    NoAnswer "no-answer" Error
        "The site has answered once, and does not answer a further request"
        "clients get the page by luck; the examination is incomplete"
        "`--max-time`, or the log of the server";
    CertificateInvalid "certificate-invalid" Error
        "Browsers do not accept the certificate"
        "clients see a warning in place of the page"
        "`tls-cert` with another file, or `acme`";
    CertificateEnds "certificate-ends" Warning
        "The certificate has less than 30 days and a fifth of its life left"
        "once it has ended, clients see a warning in place of the page"
        "`tls-cert` with another file, or `acme`";
    CookieDomain "cookie-domain" Error
        "A cookie has a Domain that is neither the host nor a parent of it"
        "browsers drop the cookie: logins and carts are forgotten"
        "`Set-Cookie` without `Domain`; or `host` with that name";
    CookiePath "cookie-path" Error
        "A cookie has a Path of the origin, below which the site has nothing"
        "browsers never send the cookie back: logins and carts are forgotten"
        "`Set-Cookie` with `Path=/`";
    CookieRefused "cookie-refused" Error
        "A cookie breaks a rule of its prefix, of SameSite or of Secure"
        "browsers drop the cookie: logins and carts are forgotten"
        "`listen-tls`, or `Set-Cookie` with other attributes";
    CookieSecure "cookie-secure" Warning
        "A cookie of a site with TLS is not Secure"
        "browsers also send it without TLS, where anyone on the path can read it"
        "`Set-Cookie` with `Secure`";
    Clock "clock" Warning
        "The clock of the server and that of this machine are more than 10 seconds apart"
        "lifetimes, ages and certificates are computed wrongly"
        "`timedatectl set-ntp true`";
    VaryMissing "vary-missing" Error
        "The response depends on a request field that Vary does not name"
        "caches give a response to clients that cannot use it"
        "`Vary` with that name";
    VarySplits "vary-splits" Warning
        "Vary names a request field that differs from client to client, and the content was the same for another value"
        "caches keep a copy for each value and rarely find one that fits"
        "`Vary` without that name";
    NotCacheable "not-cacheable" Warning
        "No cache may store a response that is the same for all clients"
        "every request costs the origin the whole response"
        "`Cache-Control: max-age=60`, `cache = '1m'` or `drop-set-cookie = 'on'`";
    NoLifetime "no-lifetime" Warning
        "A response says nothing about its lifetime"
        "caches ask the origin for each request, or guess"
        "`Cache-Control: max-age=60` or `freshness = 'default=1m'`";
    NoValidator "no-validator" Warning
        "A response has neither ETag nor Last-Modified"
        "once it is stale, it is sent again as a whole, even if it has not changed"
        "`ETag`";
    ValidatorIgnored "validator-ignored" Warning
        "A request with the validator of the response is answered by the whole response"
        "once it is stale, it is sent again as a whole, even if it has not changed"
        "304 by the application, or `cache = '1m'`";
    NoCompression "no-compression" Warning
        "Text of more than 1 KiB is sent without compression to a client that accepts it"
        "the transfer takes three to five times as long"
        "`Content-Encoding: gzip` or `compress = 'on'`";
    SlowFirstByte "slow-first-byte" Warning
        "The first byte of the page takes more than 800 ms"
        "clients look at an empty window for that time"
        "`cache = '1m'`, or a faster application";
}

/// Place in which a fix is typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The configuration of tidegate, if the site is behind it.
    Tidegate,
    /// Another proxy between clients and application: a field line of its requests.
    Proxy,
    /// The application: a field line of its responses, or what it has to do.
    Application,
    /// A shell of the server.
    Shell,
}

impl Place {
    /// Returns the name for output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tidegate => "tidegate",
            Self::Proxy => "proxy",
            Self::Application => "application",
            Self::Shell => "shell",
        }
    }
}

/// A way to end a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Place to type it in.
    pub at: Place,
    /// Text to type: a line of a configuration, a field line or a command.
    pub text: String,
    /// Part of that place, or condition; may be empty.
    pub note: String,
}

impl Fix {
    pub(super) fn new(at: Place, text: impl Into<String>, note: impl Into<String>) -> Self {
        Self { at, text: shown(&text.into()), note: shown(&note.into()) }
    }

    pub(super) fn tidegate(text: impl Into<String>, note: impl Into<String>) -> Self {
        Self::new(Place::Tidegate, text, note)
    }

    pub(super) fn application(text: impl Into<String>, note: impl Into<String>) -> Self {
        Self::new(Place::Application, text, note)
    }
}

/// Defect of a site, with its evidence and its fixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Kind of the finding.
    pub word: Word,
    /// Evidence: what was asked and seen, a line each.
    pub seen: Vec<String>,
    /// Ways to end it, the best first.
    pub fixes: Vec<Fix>,
}

/// Most characters of a line that quotes a site.
const MOST_SHOWN: usize = 300;

impl Finding {
    pub(super) fn new(word: Word, seen: impl AsRef<str>, fixes: Vec<Fix>) -> Self {
        Self { word, seen: vec![shown(seen.as_ref())], fixes }
    }
}

/// Returns text of a site for a terminal: without control characters, and shortened.
fn shown(text: &str) -> String {
    let escaped = text.chars().flat_map(|c| {
        let is_unsafe = c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        let escape = is_unsafe.then(|| c.escape_unicode());
        escape.into_iter().flatten().chain((!is_unsafe).then_some(c))
    });
    let mut out: String = escaped.take(MOST_SHOWN + 1).collect();
    if out.chars().count() > MOST_SHOWN {
        out.pop();
        out.push('…');
    }
    out
}

/// Lines of evidence that a finding keeps.
const MOST_SEEN: usize = 4;

/// Joins findings of one kind with equal fixes, and orders them by kind, errors first.
pub(super) fn joined(findings: Vec<Finding>) -> Vec<Finding> {
    let mut joined: Vec<Finding> = Vec::new();
    for finding in findings {
        let same =
            |known: &&mut Finding| known.word == finding.word && known.fixes == finding.fixes;
        match joined.iter_mut().find(same) {
            None => joined.push(finding),
            Some(known) => {
                let new = finding.seen.into_iter().filter(|line| !known.seen.contains(line));
                let new: Vec<_> = new.collect();
                known.seen.extend(new);
            }
        }
    }
    for finding in &mut joined {
        let more = finding.seen.len().saturating_sub(MOST_SEEN);
        if more > 0 {
            finding.seen.truncate(MOST_SEEN);
            finding.seen.push(format!("and {more} more"));
        }
    }
    joined.sort_by_key(|finding| (finding.word.severity(), finding.word));
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_of_one_kind_are_joined_and_errors_are_first() {
        let fix = || vec![Fix::application("ETag: \"1\"", "")];
        let mut findings: Vec<_> =
            (0..6).map(|n| Finding::new(Word::NoValidator, format!("/{n}"), fix())).collect();
        findings.push(Finding::new(Word::NoValidator, "/0", fix()));
        findings.push(Finding::new(Word::RedirectLoop, "/", Vec::new()));
        let joined = joined(findings);
        assert_eq!(joined.len(), 2);
        assert_eq!(joined[0].word, Word::RedirectLoop);
        assert_eq!(joined[1].seen, ["/0", "/1", "/2", "/3", "and 2 more"]);
    }

    #[test]
    fn text_of_a_site_cannot_control_a_terminal() {
        let finding = Finding::new(Word::InternalName, "a\u{1b}[2J\u{202e}b", Vec::new());
        assert_eq!(finding.seen, ["a\\u{1b}[2J\\u{202e}b"]);
        assert_eq!(shown(&"x".repeat(400)).chars().count(), MOST_SHOWN + 1);
    }

    #[test]
    fn words_differ() {
        let mut names: Vec<_> = Word::ALL.iter().map(|word| word.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Word::ALL.len());
    }
}
