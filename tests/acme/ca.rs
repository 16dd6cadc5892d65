//! CA that verifies all it is sent, and has faults on request.

use std::collections::{HashMap, HashSet, VecDeque};

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD as BASE64_URL};
use rcgen::{CertificateParams, Issuer, KeyPair, PublicKeyData, SignatureAlgorithm};
use ring::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use serde_json::{Value, json};
use tidegate::acme::{Challenge, Method, Request};
use tidegate::x509::CertificateFacts;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::request::{CertReq, ExtensionReq};

use super::challenge::check_answer;
use super::jws::{Jws, thumbprint};

pub(crate) const BASE: &str = "https://ca.example";
pub(crate) const DIRECTORY: &str = "https://ca.example/directory";

/// Response of the CA.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) nonce: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(status: u16, body: &Value) -> Self {
        Self { status, body: body.to_string().into_bytes(), ..Self::default() }
    }

    pub(crate) fn problem(status: u16, kind: &str, detail: &str) -> Self {
        let kind = format!("urn:ietf:params:acme:error:{kind}");
        Self::json(status, &json!({ "type": kind, "detail": detail }))
    }

    pub(crate) fn retry_after(mut self, value: &str) -> Self {
        self.retry_after = Some(value.to_owned());
        self
    }
}

/// Certificate that the CA issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    Ordered,
    OtherKey,
    LacksName,
}

/// The CA. Its order is the last one.
pub(crate) struct Ca {
    /// Replies to the next requests for a path, in place of the proper ones.
    pub(crate) faults: HashMap<&'static str, VecDeque<Reply>>,
    pub(crate) directory: Value,
    pub(crate) kinds: Vec<&'static str>,
    /// Polls of an authorization, and of the order, before they are final.
    pub(crate) pending: u32,
    pub(crate) processing: u32,
    /// Values of `Retry-After` in the next responses about validation and issuance.
    pub(crate) wishes: VecDeque<&'static str>,
    /// Problem with which challenges fail.
    pub(crate) invalid: Option<Value>,
    pub(crate) leaf: Leaf,
    /// True if an answer is required for each challenge that is not final.
    pub(crate) checks_answers: bool,
    /// Identifier and key of external accounts, if they are required.
    pub(crate) external: Option<(&'static str, Vec<u8>)>,
    /// Payloads of new orders and of new accounts.
    pub(crate) orders: Vec<Value>,
    pub(crate) registrations: Vec<Value>,
    pub(crate) revoked: Vec<Value>,
    pub(crate) accounts: HashMap<String, Value>,
    nonces: HashSet<String>,
    nonce_count: u32,
    validated: Vec<Option<u32>>,
    finalized: Option<u32>,
    certificate: Vec<u8>,
}

impl Ca {
    pub(crate) fn new() -> Self {
        let url = |path: &str| format!("{BASE}/{path}");
        Self {
            faults: HashMap::new(),
            directory: json!({
                "newNonce": url("nonce"), "newAccount": url("account"), "newOrder": url("order"),
                "revokeCert": url("revoke"), "renewalInfo": url("renewal"),
                "keyChange": url("key"), "meta": { "termsOfService": url("terms") },
            }),
            kinds: vec!["dns-01", "http-01", "tls-alpn-01"],
            pending: 0,
            processing: 0,
            wishes: VecDeque::new(),
            invalid: None,
            leaf: Leaf::Ordered,
            checks_answers: true,
            external: None,
            orders: Vec::new(),
            registrations: Vec::new(),
            revoked: Vec::new(),
            accounts: HashMap::new(),
            nonces: HashSet::new(),
            nonce_count: 0,
            validated: Vec::new(),
            finalized: None,
            certificate: Vec::new(),
        }
    }

    pub(crate) fn fail(&mut self, path: &'static str, reply: Reply) {
        self.faults.entry(path).or_default().push_back(reply);
    }

    /// Returns the response to a request, sent while the client answers these challenges.
    pub(crate) fn handle(&mut self, request: &Request, answers: &[Challenge]) -> Reply {
        let path = request.url.strip_prefix(BASE).expect("a URL of the CA");
        let path = path.trim_start_matches('/').to_owned();
        let signed = (request.method == Method::Post).then(|| self.verify(request, &path));
        let fault = self.faults.iter_mut().find(|(at, _)| path.starts_with(*at));
        let mut reply = match fault.and_then(|(_, faults)| faults.pop_front()) {
            Some(fault) => fault,
            None => self.reply(&path, signed, answers),
        };
        if ["challenge", "finalize", "current"].iter().any(|start| path.starts_with(start)) {
            reply.retry_after = self.wishes.pop_front().map(str::to_owned).or(reply.retry_after);
        }
        if request.method != Method::Get {
            reply.nonce = Some(self.new_nonce());
        }
        reply
    }

    /// Returns true if the request is of the form that its resource wants.
    pub(crate) fn can_handle(&self, request: &Request) -> bool {
        let path = request.url.strip_prefix(BASE).unwrap().trim_start_matches('/');
        match request.method {
            Method::Get => return path == "directory",
            Method::Head => return path == "nonce",
            Method::Post => {}
        }
        let jws = Jws::read(&serde_json::from_slice(&request.body).unwrap());
        let payload: Value = serde_json::from_slice(&jws.payload).unwrap_or_default();
        let (first, at) = path.split_once('/').unwrap_or((path, "0"));
        let is_ordered = at.parse::<usize>().is_ok_and(|at| at < self.validated.len());
        let has = |member| payload.get(member).is_some();
        let fits = match first {
            "account" => has("termsOfServiceAgreed"),
            "order" => has("identifiers"),
            "authorization" | "current" => is_ordered && payload.is_null(),
            "certificate" => payload.is_null(),
            "challenge" => is_ordered && payload == json!({}),
            "finalize" => is_ordered && has("csr"),
            _ => false,
        };
        fits && jws.protected.get("jwk").is_some() == (path == "account")
    }

    fn new_nonce(&mut self) -> String {
        self.nonce_count += 1;
        let nonce = format!("nonce-{}", self.nonce_count);
        self.nonces.insert(nonce.clone());
        nonce
    }

    /// Verifies a signed request. Returns its key and its payload.
    fn verify(&mut self, request: &Request, path: &str) -> (Value, Vec<u8>) {
        assert_eq!(request.content_type, Some("application/jose+json"));
        let jws = Jws::read(&serde_json::from_slice(&request.body).unwrap());
        assert_eq!(jws.protected["url"], request.url.as_str());
        assert!(self.nonces.remove(jws.protected["nonce"].as_str().unwrap()), "a fresh nonce");
        let key = match jws.protected.get("jwk") {
            Some(jwk) => jwk.clone(),
            None => self.accounts[jws.protected["kid"].as_str().unwrap()].clone(),
        };
        assert_eq!(jws.protected.get("jwk").is_some(), path == "account", "a new account only");
        jws.verify(&key);
        (key, jws.payload)
    }

    fn reply(
        &mut self,
        path: &str,
        signed: Option<(Value, Vec<u8>)>,
        answers: &[Challenge],
    ) -> Reply {
        if path == "directory" {
            return Reply::json(200, &self.directory);
        }
        let Some((key, payload)) = signed else {
            assert_eq!(path, "nonce");
            return Reply { status: 200, ..Reply::default() };
        };
        let value = || serde_json::from_slice::<Value>(&payload).unwrap();
        let (first, at) = path.split_once('/').unwrap_or((path, "0"));
        let at = at.parse().unwrap();
        let reads = payload.is_empty();
        match first {
            "account" => self.account(key, value()),
            "order" => self.new_order(value()),
            "authorization" if reads => self.authorization(at, &thumbprint(&key), answers),
            "challenge" => self.challenge(at, &value(), &thumbprint(&key), answers),
            "finalize" => self.finalize(&value()),
            "current" if reads => self.poll(),
            "certificate" if reads => {
                Reply { status: 200, body: self.certificate.clone(), ..Reply::default() }
            }
            "revoke" => {
                self.revoked.push(value());
                Reply { status: 200, ..Reply::default() }
            }
            _ => panic!("no resource {path}"),
        }
    }

    fn account(&mut self, key: Value, payload: Value) -> Reply {
        if let Some((id, mac)) = &self.external {
            let Some(binding) = payload.get("externalAccountBinding") else {
                return Reply::problem(403, "externalAccountRequired", "bind an account");
            };
            let binding = Jws::read(binding);
            assert_eq!(binding.protected["kid"], *id);
            assert_eq!(binding.protected["url"], format!("{BASE}/account"));
            assert_eq!(serde_json::from_slice::<Value>(&binding.payload).unwrap(), key);
            binding.verify_mac(mac);
        }
        let known = self.accounts.iter().find(|(_, known)| **known == key);
        let known = known.map(|(url, _)| url.clone());
        let status = if known.is_some() { 200 } else { 201 };
        let url = known.unwrap_or_else(|| format!("{BASE}/account/{}", self.accounts.len() + 1));
        self.accounts.insert(url.clone(), key);
        self.registrations.push(payload);
        Reply { location: Some(url), ..Reply::json(status, &json!({ "status": "valid" })) }
    }

    fn new_order(&mut self, payload: Value) -> Reply {
        self.validated = vec![None; payload["identifiers"].as_array().unwrap().len()];
        self.finalized = None;
        self.orders.push(payload);
        let order = self.order();
        Reply { location: Some(format!("{BASE}/current")), ..Reply::json(201, &order) }
    }

    fn is_valid(&self, at: usize) -> bool {
        self.validated[at].is_some_and(|polls| polls > self.pending)
    }

    fn order(&self) -> Value {
        let count = self.validated.len();
        let urls: Value = (0..count).map(|at| format!("{BASE}/authorization/{at}")).collect();
        let status = match self.finalized {
            Some(polls) if polls > self.processing => "valid",
            Some(_) => "processing",
            None if (0..count).all(|at| self.is_valid(at)) => "ready",
            None => "pending",
        };
        let mut order = json!({
            "status": status, "authorizations": urls, "finalize": format!("{BASE}/finalize"),
            "identifiers": self.orders.last().unwrap()["identifiers"],
        });
        if status == "valid" {
            order["certificate"] = format!("{BASE}/certificate").into();
        }
        order
    }

    fn authorization(&mut self, at: usize, thumbprint: &str, answers: &[Challenge]) -> Reply {
        let identifier = self.orders.last().unwrap()["identifiers"][at].clone();
        if let Some(polls) = &mut self.validated[at] {
            *polls += 1;
            if *polls <= self.pending + 1 {
                self.check(&identifier, at, thumbprint, answers);
            }
        }
        let is_asked = self.validated[at].is_some();
        let status = match &self.invalid {
            Some(_) if is_asked => "invalid",
            _ if self.is_valid(at) => "valid",
            _ => "pending",
        };
        let challenges: Value = (0..self.kinds.len()).map(|kind| self.offer(at, kind)).collect();
        Reply::json(
            200,
            &json!({ "status": status, "identifier": identifier, "challenges": challenges }),
        )
    }

    fn offer(&self, at: usize, kind: usize) -> Value {
        let mut offer = json!({
            "type": self.kinds[kind], "url": format!("{BASE}/challenge/{at}"),
            "status": if self.validated[at].is_some() { "processing" } else { "pending" },
        });
        if self.kinds[kind].contains("-01") {
            offer["token"] = format!("token-{at}_{kind}").into();
        }
        if let (Some(problem), Some(_)) = (&self.invalid, self.validated[at]) {
            offer["error"] = problem.clone();
            offer["status"] = "invalid".into();
        }
        offer
    }

    fn challenge(
        &mut self,
        at: usize,
        payload: &Value,
        thumbprint: &str,
        answers: &[Challenge],
    ) -> Reply {
        assert_eq!(*payload, json!({}));
        let identifier = self.orders.last().unwrap()["identifiers"][at].clone();
        self.check(&identifier, at, thumbprint, answers);
        self.validated[at] = Some(0);
        Reply::json(200, &self.offer(at, 0))
    }

    /// Checks the answer to the challenge for this identifier.
    fn check(&self, identifier: &Value, at: usize, thumbprint: &str, answers: &[Challenge]) {
        if !self.checks_answers {
            return;
        }
        let name = identifier["value"].as_str().unwrap();
        let answer = answers.iter().find(|answer| answer.identifier.to_string() == name);
        let answer = answer.expect("an answer for the identifier");
        let kind = self.kinds.iter().position(|kind| *kind == answer.kind.as_str()).unwrap();
        let token = format!("token-{at}_{kind}");
        check_answer(answer, &token, &format!("{token}.{thumbprint}"));
    }

    fn finalize(&mut self, payload: &Value) -> Reply {
        if self.order()["status"] != "ready" {
            return Reply::problem(403, "orderNotReady", "not yet");
        }
        let csr = BASE64_URL.decode(payload["csr"].as_str().unwrap()).unwrap();
        let identifiers = self.orders.last().unwrap()["identifiers"].as_array().unwrap();
        let names = identifiers.iter().map(|it| it["value"].as_str().unwrap().to_owned());
        let names: Vec<String> = names.collect();
        let request = CertReq::from_der(&csr).unwrap();
        let key = Public(request.info.public_key.subject_public_key.raw_bytes().to_vec());
        let verifier = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &key.0);
        let signed = request.info.to_der().unwrap();
        verifier.verify(&signed, request.signature.raw_bytes()).expect("a signed request");
        assert_eq!(names_of(&request), names);
        self.certificate = issue(&names, &key, self.leaf);
        self.finalized = Some(1);
        Reply::json(200, &self.order())
    }

    fn poll(&mut self) -> Reply {
        if let Some(polls) = &mut self.finalized {
            *polls += 1;
        }
        Reply::json(200, &self.order())
    }
}

fn names_of(request: &CertReq) -> Vec<String> {
    let attribute = request.info.attributes.iter().next().expect("requested extensions");
    let extensions: ExtensionReq = attribute.values.get(0).unwrap().decode_as().unwrap();
    let names = SubjectAltName::from_der(extensions.0[0].extn_value.as_bytes()).unwrap();
    let name = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => name.to_string(),
        GeneralName::IpAddress(address) => match *address.as_bytes() {
            [a, b, c, d] => std::net::Ipv4Addr::new(a, b, c, d).to_string(),
            ref other => {
                let octets: [u8; 16] = other.try_into().unwrap();
                std::net::Ipv6Addr::from(octets).to_string()
            }
        },
        other => panic!("no host: {other:?}"),
    };
    names.0.iter().map(name).collect()
}

/// Public key of a certificate request.
struct Public(Vec<u8>);

impl PublicKeyData for Public {
    fn der_bytes(&self) -> &[u8] {
        &self.0
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

/// Returns the chain of a certificate and its issuer in PEM.
fn issue(names: &[String], key: &Public, leaf: Leaf) -> Vec<u8> {
    let mut root = CertificateParams::new([]).unwrap();
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root_key = KeyPair::generate().unwrap();
    let root_der = root.self_signed(&root_key).unwrap();
    let issuer = Issuer::new(root, root_key);
    let names = if leaf == Leaf::LacksName { &names[1..] } else { names };
    let mut params = CertificateParams::new(names).unwrap();
    params.use_authority_key_identifier_extension = true;
    let other = KeyPair::generate().unwrap();
    let certificate = match leaf {
        Leaf::OtherKey => params.signed_by(&other, &issuer),
        Leaf::Ordered | Leaf::LacksName => params.signed_by(key, &issuer),
    };
    let certificate = certificate.unwrap();
    assert!(CertificateFacts::of(certificate.der()).unwrap().ari_id().is_some());
    [certificate.der(), root_der.der()].map(|der| pem(der)).concat().into_bytes()
}

pub(crate) fn pem(der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
