//! Messages of a CA: operations end whatever it responds, and tell failures in one line.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ring::rand::SystemRandom;
use tidegate::acme::renewal::RenewalInfo;
use tidegate::acme::{
    Account, AccountKey, AcmeError, Action, CertificateOrder, ChallengeKind, Directory, Identifier,
    Issuance, MOST_REQUESTS, Problem, Response, http_token,
};

const DIRECTORY: &str = "https://ca.example/directory";

/// Byte between two responses of a conversation.
const BETWEEN: u8 = b'\x1e';

/// Checks any bytes as each message, and as the responses to the requests of an issuance.
pub fn rules(data: &[u8]) {
    check_objects(data);
    check_text(&String::from_utf8_lossy(data));
    check_issuance(data);
}

fn check_objects(data: &[u8]) {
    let now = UNIX_EPOCH + Duration::from_secs(1 << 31);
    if let Ok(directory) = Directory::read(data, DIRECTORY) {
        let url = directory.renewal_info.unwrap_or_default();
        assert!(url.is_empty() || url.starts_with("https://"));
    }
    match RenewalInfo::read(data, None, now) {
        Ok(info) => assert!(info.window.start <= info.window.end && info.poll_at > now),
        Err(error) => check_error(&error),
    }
    let problem = Problem::of(400, data);
    let parts = problem.subproblems.iter().chain([&problem]);
    assert!(parts.clone().count() <= 6 && !problem.kind.is_empty());
    assert!(parts.clone().all(|part| part.detail.len() < 500 && part.kind.len() < 500));
    assert!(!parts.clone().any(|part| part.detail.contains(char::is_control)));
}

fn check_text(text: &str) {
    match Identifier::parse(text) {
        Ok(identifier) => {
            assert_eq!(Identifier::parse(&identifier.to_string()), Ok(identifier.clone()));
            assert!(identifier.server_name().len() <= 253);
        }
        Err(error) => check_error(&error),
    }
    assert!(http_token(text).is_none_or(|token| text.ends_with(token) && !token.contains('/')));
    if let Ok(key) = AccountKey::from_pem(text, &SystemRandom::new()) {
        assert_eq!(key.thumbprint().len(), 43);
    }
}

fn check_issuance(data: &[u8]) {
    let random = SystemRandom::new();
    let account = Account {
        directory: DIRECTORY.to_owned(),
        key: Arc::new(AccountKey::generate(&random).expect("random numbers")),
        url: None,
        contacts: Vec::new(),
        terms_agreed: true,
        external: None,
    };
    let order = CertificateOrder {
        identifiers: vec![Identifier::parse("a.example").expect("a name")],
        challenges: vec![ChallengeKind::Http01],
        profile: None,
        replaces: None,
    };
    let mut issuance = Issuance::new(account, order).expect("settings that can work");
    let mut responses = data.split(|byte| *byte == BETWEEN);
    let (mut now, mut requests) = (UNIX_EPOCH + Duration::from_secs(1 << 31), 0);
    loop {
        match issuance.next(now, &random) {
            Action::Done(_) => panic!("no certificate fits to a new key"),
            Action::Failed(error) => break check_error(&error),
            Action::Wait(until) => {
                assert!(until > now);
                now = until;
            }
            Action::Send(request) => {
                requests += 1;
                assert!(requests <= MOST_REQUESTS && request.url.starts_with("https://"));
                respond(&mut issuance, responses.next(), now);
            }
        }
    }
    assert_eq!(issuance.challenges().count(), 0);
}

/// The first byte of a response chooses its status and fields.
fn respond(issuance: &mut Issuance, response: Option<&[u8]>, now: SystemTime) {
    let Some((first, body)) = response.and_then(<[u8]>::split_first) else {
        return issuance.failed("the input has ended", now);
    };
    let text = std::str::from_utf8(body).unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let field = |bit: u8| (first >> bit & 1 == 1).then_some(line);
    let response = Response {
        status: [200, 201, 400, 503][usize::from(first & 3)],
        replay_nonce: Some(field(2).unwrap_or("nonce")),
        location: Some(field(3).unwrap_or("https://ca.example/x")),
        retry_after: field(4),
        body,
    };
    issuance.receive(&response, now);
}

fn check_error(error: &AcmeError) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 8000 && !text.contains(char::is_control), "{text}");
}
