//! Causes of symptoms that a site shows, found by asking its origin in several ways.

use super::finding::{Fix, Place};
use super::observations::{Exchange, Origin, OriginAsk};
use super::url::Url;

/// Field lines, beside `X-Forwarded-Proto`, by which some applications are told that clients use TLS.
pub const OTHER_CLAIMS: &[&str] = &[
    "X-Forwarded-Ssl: on",
    "Front-End-Https: on",
    "X-Forwarded-Scheme: https",
    "X-Forwarded-Protocol: https",
    "X-Scheme: https",
    "X-Url-Scheme: https",
];

/// Cause of a symptom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The origin was not asked, or its answers do not tell.
    Unknown,
    /// The origin answers well if it is told the client's scheme and host, and is not told.
    Unreported,
    /// The origin answers well if it gets the site's `Host`, and gets its own.
    HostLost,
    /// The origin answers well if it gets its own `Host`, and gets that of the site.
    HostKept,
    /// The origin answers well if it gets this field line.
    Claim(&'static str),
    /// The origin shows the symptom however it is asked.
    Application,
}

impl Cause {
    /// Finds the cause of a symptom, which a response of the origin may have.
    pub(super) fn of(origin: Option<&Origin>, has_symptom: impl Fn(&Exchange) -> bool) -> Self {
        let Some(origin) = origin else { return Self::Unknown };
        let answer = |ask| origin.answer(ask);
        let is_ill = |ask| answer(ask).is_some_and(&has_symptom);
        let is_well =
            |ask| answer(ask).is_some_and(|it| it.status().code() < 400 && !has_symptom(it));
        if is_well(OriginAsk::AsProxy) {
            return match () {
                () if is_ill(OriginAsk::Unreported) => Self::Unreported,
                () if is_ill(OriginAsk::OwnHost) => Self::HostLost,
                () => Self::Unknown,
            };
        }
        let claim = OTHER_CLAIMS.iter().find(|line| is_well(OriginAsk::Claim(line)));
        match claim {
            Some(line) => Self::Claim(line),
            None if is_well(OriginAsk::OwnHost) => Self::HostKept,
            None if is_ill(OriginAsk::AsProxy) => Self::Application,
            None => Self::Unknown,
        }
    }
}

/// Note of fixes that were not tried at the origin.
const UNTRIED: &str = "--origin URL finds out if that is the cause";

/// Returns what tells the origin that clients of `public` use TLS.
pub(super) fn report_tls(is_sure: bool) -> Vec<Fix> {
    let unsure = if is_sure { "" } else { UNTRIED };
    vec![
        Fix::tidegate(
            "trusted-proxy = 'ADDRESS'",
            "if another proxy ends TLS before tidegate: the address from which it connects",
        ),
        Fix::tidegate(
            "listen-tls = '0.0.0.0:443'",
            "if tidegate is to end TLS itself, with tls-cert and tls-key, or with acme",
        ),
        Fix::new(Place::Proxy, "X-Forwarded-Proto: https", unsure),
    ]
}

/// Returns what gives the origin the `Host` of `public`.
pub(super) fn keep_host(public: &Url, is_sure: bool) -> Vec<Fix> {
    let note = "in the route or the [[origin]]";
    let note = if is_sure { note.to_owned() } else { format!("{note}; {UNTRIED}") };
    let line = format!("Host: {}", public.authority());
    vec![Fix::tidegate("host = 'preserve'", note), Fix::new(Place::Proxy, line, "")]
}

/// Returns what gives the origin its own `Host`.
pub(super) fn own_host(origin: &Url) -> Vec<Fix> {
    let line = format!("Host: {}", origin.authority());
    let note = "in the route or the [[origin]]";
    vec![Fix::tidegate("host = 'origin'", note), Fix::new(Place::Proxy, line, "")]
}

/// Returns what gives the origin a further field line.
pub(super) fn claim(line: &str) -> Vec<Fix> {
    vec![
        Fix::tidegate(format!("set-request = '{line}'"), "in the route"),
        Fix::new(Place::Proxy, line, ""),
    ]
}

/// Returns what serves a site by TLS.
pub(super) fn serve_tls() -> Fix {
    Fix::tidegate(
        "listen-tls = '0.0.0.0:443'",
        "with tls-cert and tls-key, or with acme; and http-redirect for the old listener",
    )
}

/// Returns what makes an application name itself as clients know it.
pub(super) fn base_url(public: &Url) -> Fix {
    let base = format!("{}://{}", public.scheme(), public.authority());
    Fix::application(base, "as its base URL; or links and redirections without scheme and host")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::tests::{exchange, origin};

    const WELL: &str = "HTTP/1.1 200 OK\r\n\r\n";
    const ILL: &str = "HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n";
    const GONE: &str = "HTTP/1.1 404 Not Found\r\n\r\n";

    fn cause(answers: &[(OriginAsk, &str)]) -> Cause {
        let answers =
            answers.iter().map(|(ask, text)| (*ask, exchange("https://shop.example/", text)));
        let origin = origin(answers.collect());
        Cause::of(Some(&origin), |answer| answer.redirects_to().is_some())
    }

    #[test]
    fn causes_are_told_by_the_way_of_asking_that_helps() {
        use OriginAsk::{AsProxy, Claim, OwnHost, Unreported};
        let line = OTHER_CLAIMS[1];
        for (answers, expected) in [
            (&[(AsProxy, WELL), (Unreported, ILL)][..], Cause::Unreported),
            (&[(AsProxy, WELL), (Unreported, WELL), (OwnHost, ILL)], Cause::HostLost),
            (&[(AsProxy, WELL), (Unreported, WELL), (OwnHost, WELL)], Cause::Unknown),
            (&[(AsProxy, ILL), (Unreported, ILL), (Claim(line), WELL)], Cause::Claim(line)),
            (&[(AsProxy, GONE), (OwnHost, WELL)], Cause::HostKept),
            (&[(AsProxy, ILL), (OwnHost, ILL), (Claim(line), ILL)], Cause::Application),
            (&[(AsProxy, GONE), (OwnHost, GONE)], Cause::Unknown),
        ] {
            assert_eq!(cause(answers), expected, "{answers:?}");
        }
        assert_eq!(Cause::of(None, |_| true), Cause::Unknown);
    }
}
