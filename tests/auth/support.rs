//! An authenticator under test, and requests with credentials for it.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use tidegate::auth::digest::Algorithm;
use tidegate::auth::{
    AuthResult, AuthSettings, Authenticator, ChallengeReason, Password, Realm, RealmUsers, Request,
    Secret, Side, StoredSecret, UserEntry, Users,
};
use tidegate::http::Fields;
use tidegate::reactor::{Clock, VirtualClock};

/// The bcrypt hash of 'secret' with the lowest cost.
pub(crate) const BCRYPT: &str = "$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW";

pub(crate) struct Door {
    pub(crate) authenticator: Authenticator,
    accounts: Arc<RealmUsers>,
    settings: AuthSettings,
    pub(crate) clock: VirtualClock,
}

pub(crate) fn realm() -> Realm {
    "a realm".parse().unwrap()
}

pub(crate) fn password(text: &str) -> Password {
    Password::new(text).unwrap()
}

/// The users file entry that allows `user` to authenticate with Digest.
pub(crate) fn digest_line(user: &str, algorithm: Algorithm, secret: &str) -> String {
    let proof = StoredSecret::digest(realm(), algorithm, user, &password(secret));
    UserEntry::new(user, proof).unwrap().text()
}

pub(crate) fn users(text: &str) -> Users {
    let mut users = Users::default();
    users.read("users", text.as_bytes()).unwrap();
    users
}

impl Door {
    pub(crate) fn new(text: &str) -> Self {
        Self::with(text, |_| {})
    }

    pub(crate) fn with(text: &str, change: impl FnOnce(&mut AuthSettings)) -> Self {
        let mut settings = AuthSettings::new(Side::Origin, realm());
        change(&mut settings);
        Self::made(text, settings, [7; 32])
    }

    fn made(text: &str, settings: AuthSettings, secret: [u8; 32]) -> Self {
        let accounts = Arc::new(RealmUsers::new(users(text), &settings));
        let shared = Arc::clone(&accounts);
        let authenticator = Authenticator::new(settings.clone(), shared, &Secret::new(secret));
        let clock = VirtualClock::at(UNIX_EPOCH + Duration::from_secs(1 << 30));
        Self { authenticator, accounts, settings, clock }
    }

    /// Replaces the users by those of `text`.
    pub(crate) fn replace_users(&mut self, text: &str) {
        self.accounts = Arc::new(RealmUsers::new(users(text), &self.settings));
        self.authenticator.replace_accounts(Arc::clone(&self.accounts));
    }

    pub(crate) fn schemes(&self) -> Vec<&'static str> {
        self.accounts.schemes(&self.settings)
    }

    /// Creates an authenticator with default settings and this server secret.
    pub(crate) fn with_secret(text: &str, secret: [u8; 32]) -> Self {
        Self::made(text, AuthSettings::new(Side::Origin, realm()), secret)
    }

    /// Returns the result of a GET of `target` with these credentials.
    pub(crate) fn get(&mut self, target: &str, credentials: &str) -> AuthResult {
        self.request("GET", target, &[credentials])
    }

    pub(crate) fn request(
        &mut self,
        method: &str,
        target: &str,
        credentials: &[&str],
    ) -> AuthResult {
        let fields = self.fields(credentials);
        let request = Request { method, target, fields: &fields };
        self.authenticator.verify(&request, self.clock.now())
    }

    /// Returns true if one of these credentials belongs to a scheme and realm of this
    /// authenticator.
    pub(crate) fn claims(&self, credentials: &[&str]) -> bool {
        let fields = self.fields(credentials);
        self.authenticator.recognizes(&Request { method: "GET", target: "/", fields: &fields })
    }

    fn fields(&self, credentials: &[&str]) -> Fields {
        let mut fields = Fields::default();
        let name = self.authenticator.side().credentials().as_str();
        credentials.iter().for_each(|value| fields.push(name.as_bytes(), value.as_bytes()));
        fields
    }

    /// Returns the challenges that answer a request without credentials.
    pub(crate) fn challenges(&mut self) -> Vec<String> {
        self.authenticator.challenges(ChallengeReason::Missing, self.clock.now().wall)
    }

    /// Returns the nonce of a new challenge.
    pub(crate) fn nonce(&mut self) -> String {
        parameter(&self.challenges()[0], "nonce")
    }
}

/// Returns the value of a quoted parameter.
pub(crate) fn parameter(field: &str, name: &str) -> String {
    let (_, rest) = field.split_once(&format!("{name}=\"")).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

/// Returns the authenticated user, or the reason of the rejection in a word.
pub(crate) fn outcome(verdict: AuthResult) -> String {
    match verdict {
        AuthResult::Accepted(accepted) => format!("{} is there", accepted.user),
        AuthResult::Challenge(why) => why.to_string(),
        AuthResult::Malformed(what) => format!("malformed: {what}"),
        AuthResult::Misdirected => "for another request".into(),
        AuthResult::NeedsHashing(_) => "needs hashing".into(),
    }
}
