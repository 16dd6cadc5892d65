//! Certificates with which the proxy serves TLS: those of the settings, those that it has obtained, and
//! answers to challenges of a CA.

use std::sync::Arc;

use crate::acme::{Challenge, RevocationReason, http_answer};
use crate::http::{Method, RequestHead};
use crate::tls::{Certificate, ServerTls};

/// Certificates and answers that the proxy shows to clients that speak TLS, and to a CA.
#[derive(Debug, Default)]
pub(crate) struct Identity {
    /// TLS of the settings.
    configured: Option<Arc<ServerTls>>,
    /// Certificates that the proxy has obtained, by their place among those to obtain.
    obtained: Vec<Option<Certificate>>,
    /// Challenges to answer, by the place of the certificate that they are for.
    challenges: Vec<(usize, Challenge)>,
    /// Certificates that answer challenges within TLS, by place and by the name that the CA asks for.
    answers: Vec<(usize, (String, Certificate))>,
    /// Names of the certificates that the proxy obtains, in their order.
    names: Vec<String>,
    /// Certificates that an operator wants to be replaced, by place.
    wanted: Vec<(usize, Option<RevocationReason>)>,
    /// All of it.
    tls: Option<Arc<ServerTls>>,
}

impl Identity {
    /// Returns the identity of new settings.
    pub(super) fn new(configured: Option<Arc<ServerTls>>) -> Self {
        Self { tls: configured.clone(), configured, ..Self::default() }
    }

    /// Returns TLS for clients, unless the proxy has none.
    pub(super) const fn tls(&self) -> Option<&Arc<ServerTls>> {
        self.tls.as_ref()
    }

    /// Replaces the part of the settings.
    pub(super) fn configure(&mut self, configured: Option<Arc<ServerTls>>) {
        self.configured = configured;
        self.combine();
    }

    /// Serves a certificate that was obtained for one of `places`, in place of an earlier one.
    pub(super) fn obtain(&mut self, place: usize, places: usize, certificate: Certificate) {
        self.obtained.resize_with(places.max(place + 1), || None);
        self.obtained[place] = Some(certificate);
        self.combine();
    }

    /// Returns true if `challenges` are those that are answered for a place.
    pub(super) fn answers(&self, place: usize, challenges: &[Challenge]) -> bool {
        let answered = self.challenges.iter().filter(|(of, _)| *of == place);
        answered.map(|(_, challenge)| challenge).eq(challenges)
    }

    /// Replaces the challenges that are answered for a place; `answers` are those within TLS.
    pub(super) fn answer(
        &mut self,
        place: usize,
        challenges: Vec<Challenge>,
        answers: Vec<(String, Certificate)>,
    ) {
        self.challenges.retain(|(of, _)| *of != place);
        self.challenges.extend(challenges.into_iter().map(|challenge| (place, challenge)));
        let had_answers = self.answers.iter().any(|(of, _)| *of == place);
        let has_answers = !answers.is_empty();
        self.answers.retain(|(of, _)| *of != place);
        self.answers.extend(answers.into_iter().map(|answer| (place, answer)));
        if had_answers || has_answers {
            self.combine();
        }
    }

    /// Returns the content that answers a request, if that is one of a CA (RFC 8555 §8.3).
    pub(super) fn http_answer(&self, request: &RequestHead) -> Option<&str> {
        let retrieves = matches!(request.method(), Method::Get | Method::Head);
        if self.challenges.is_empty() || !retrieves {
            return None;
        }
        let challenges = self.challenges.iter().map(|(_, challenge)| challenge);
        http_answer(request.path_and_query(), challenges)
    }

    /// Names the certificates that the proxy obtains, in their order.
    pub(super) fn set_names(&mut self, names: Vec<String>) {
        self.names = names;
    }

    /// Has the certificate for `name` replaced, and the one before revoked if there is a reason.
    ///
    /// # Errors
    /// Returns a message for the operator if the proxy obtains no such certificate.
    pub(super) fn replace(
        &mut self,
        name: &str,
        reason: Option<RevocationReason>,
    ) -> Result<(), String> {
        let names = &self.names;
        if names.is_empty() {
            return Err("this proxy obtains no certificates (--acme)".to_owned());
        }
        let Some(place) = names.iter().position(|known| known == name) else {
            return Err(format!("no certificate for '{name}'; there are {}", names.join(", ")));
        };
        self.wanted.push((place, reason));
        Ok(())
    }

    /// Returns true if an operator wants a certificate to be replaced.
    pub(super) fn has_wanted(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Takes what operators want to be replaced.
    pub(super) fn take_wanted(&mut self) -> Vec<(usize, Option<RevocationReason>)> {
        std::mem::take(&mut self.wanted)
    }

    fn combine(&mut self) {
        let obtained = self.obtained.iter().flatten().cloned().collect();
        let answers = self.answers.iter().map(|(_, answer)| answer);
        let combined = self.configured.as_ref().map(|tls| tls.with(obtained, answers));
        self.tls = combined.map(Arc::new);
    }
}
