//! The examples of RFC 7616 §3.9, and a client of Digest that computes answers without the proxy's
//! code.

use md5::Md5;
use sha2::{Digest, Sha256};
use tidegate::auth::digest::{Credentials, Named};
use tidegate::auth::{AuthSettings, Side};

use super::support::{Door, outcome};

pub(crate) type Hash = fn(&str) -> String;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn md5(text: &str) -> String {
    hex(&Md5::digest(text))
}

pub(crate) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

/// A response to a Digest challenge, and the user and request it is for.
#[derive(Clone)]
pub(crate) struct Answer {
    pub(crate) hash: Hash,
    pub(crate) user: &'static str,
    pub(crate) password: &'static str,
    pub(crate) nonce: String,
    pub(crate) nc: u32,
    pub(crate) method: &'static str,
    pub(crate) uri: &'static str,
}

impl Answer {
    pub(crate) fn to(nonce: &str) -> Self {
        Self {
            hash: sha256,
            user: "alice",
            password: "secret",
            nonce: nonce.into(),
            nc: 1,
            method: "GET",
            uri: "/a?b",
        }
    }

    pub(crate) fn with(&self, hash: Hash) -> Self {
        Self { hash, ..self.clone() }
    }

    pub(crate) fn nc(&self, nc: u32) -> Self {
        Self { nc, ..self.clone() }
    }

    pub(crate) fn user(&self, user: &'static str) -> Self {
        Self { user, ..self.clone() }
    }

    pub(crate) fn password(&self, password: &'static str) -> Self {
        Self { password, ..self.clone() }
    }

    pub(crate) fn response(&self) -> String {
        let Self { hash, user, password, nonce, nc, method, uri } = self;
        let ha1 = hash(&format!("{user}:a realm:{password}"));
        let ha2 = hash(&format!("{method}:{uri}"));
        hash(&format!("{ha1}:{nonce}:{nc:08x}:c0:auth:{ha2}"))
    }

    pub(crate) fn sign(&self) -> String {
        let Self { user, nonce, nc, uri, .. } = self;
        let algorithm = if (self.hash)("").len() == 32 { "MD5" } else { "SHA-256" };
        format!(
            "Digest username=\"{user}\", realm=\"a realm\", nonce=\"{nonce}\", uri=\"{uri}\", \
             algorithm={algorithm}, qop=auth, nc={nc:08x}, cnonce=\"c0\", response=\"{}\"",
            self.response()
        )
    }
}

/// `user:realm:HA1` of the user in the examples.
fn mufasa(hash: Hash) -> String {
    let realm = "http-auth@example.org";
    format!("Mufasa:{realm}:{}\n", hash(&format!("Mufasa:{realm}:Circle of Life")))
}

fn example(algorithm: &str, response: &str) -> String {
    format!(
        r#"Digest username="Mufasa",
       realm="http-auth@example.org",
       uri="/dir/index.html",
       algorithm={algorithm},
       nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
       nc=00000001,
       cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
       qop=auth,
       response="{response}",
       opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#
    )
    .replace('\n', "")
}

/// The nonces of the examples are not ours, so a correct response yields `unknown-nonce`.
#[test]
fn responses_of_rfc7616_3_9_1_verify() {
    let in_realm =
        |settings: &mut AuthSettings| settings.realm = "http-auth@example.org".parse().unwrap();
    let mut door = Door::with(&(mufasa(md5) + &mufasa(sha256)), in_realm);
    for (algorithm, response) in [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ] {
        let right = example(algorithm, response);
        assert_eq!(outcome(door.get("/dir/index.html", &right)), "unknown-nonce");
        let wrong = right.replace(&response[..4], "0000");
        assert_eq!(outcome(door.get("/dir/index.html", &wrong)), "wrong");
    }
}

const EXAMPLE_3_9_2: &str = r#"username="488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec", realm="api@example.org", uri="/doe.json", algorithm=SHA-512-256, nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", nc=00000001, cnonce="NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm", qop=auth, response="ae66e67d6b427bd3f120414a82e4acff38e8ecd9101d6c861229025f607a79dd", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", userhash=true"#;

#[test]
fn credentials_of_rfc7616_3_9_2_are_read_but_not_offered() {
    let read = Credentials::parse(EXAMPLE_3_9_2.as_bytes()).unwrap();
    let hash = "488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec";
    assert_eq!(read.user, Named::Hashed(hash.into()));
    assert_eq!(read.cnonce, "NTg6RKcb9boFIAS3KrFK9BGeh+niz/sm");
    let mut door = Door::with(&mufasa(sha256), |settings| settings.side = Side::Proxy);
    assert_eq!(outcome(door.get("/doe.json", &format!("Digest {EXAMPLE_3_9_2}"))), "not-offered");
    let plain = EXAMPLE_3_9_2.replace("userhash=true", "userhash=false").replace(
        r#"username="488869477bf257147b804c45308cd62ac4e25eb717b12b298c79e62dcea254ec""#,
        "username*=UTF-8''J%C3%A4s%C3%B8n%20Doe",
    );
    let read = Credentials::parse(plain.as_bytes()).unwrap();
    assert_eq!(read.user, Named::Plain("Jäsøn Doe".into()));
}
