//! An authenticator as browsers drive one: keys of its own, real signatures, counters, and what a
//! browser says around them. It can be told to lie.
//!
//! Source: W3C Web Authentication Level 3, sections 5.8, 6.1 and 6.5.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Present, verified, with key.
const PRESENT: u8 = 1;
const VERIFIED: u8 = 4;
const WITH_KEY: u8 = 64;

pub struct Authenticator {
    pub origin: String,
    pub counter: u32,
    /// Whether it verifies its owner.
    pub verifies: bool,
    key: SigningKey,
    id: Vec<u8>,
    /// Whose key it is, from when it was made.
    user: String,
}

impl Authenticator {
    /// One with a key of its own, made of a number.
    pub fn new(number: u8) -> Authenticator {
        Authenticator {
            origin: "http://localhost:8077".into(),
            counter: 0,
            verifies: true,
            key: SigningKey::from_slice(&[number; 32]).unwrap(),
            id: vec![number; 16],
            user: String::new(),
        }
    }

    fn client_data(&self, kind: &str, challenge: &Value) -> String {
        json!({ "type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": false })
            .to_string()
    }

    fn data(&mut self, flags: u8, relying_party: &str) -> Vec<u8> {
        self.counter += 1;
        let mut data = Sha256::digest(relying_party.as_bytes()).to_vec();
        data.push(flags | PRESENT | if self.verifies { VERIFIED } else { 0 });
        data.extend(self.counter.to_be_bytes());
        data
    }

    /// What a browser gives for `navigator.credentials.create`.
    pub fn create(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let options = &options["publicKey"];
        self.user = options["user"]["id"].as_str().unwrap().to_owned();
        let client_data = self.client_data("webauthn.create", &options["challenge"]);
        let mut data = self.data(WITH_KEY, options["rp"]["id"].as_str().unwrap());
        data.extend([0; 16]);
        data.extend((self.id.len() as u16).to_be_bytes());
        data.extend(&self.id);
        let point = self.key.verifying_key().to_sec1_point(false);
        // {1: 2 (EC2), 3: -7 (ES256), -1: 1 (P-256), -2: x, -3: y}
        data.extend([0xa5, 0x01, 0x02, 0x03, 0x26, 0x20, 0x01, 0x21, 0x58, 0x20]);
        data.extend(point.x().unwrap());
        data.extend([0x22, 0x58, 0x20]);
        data.extend(point.y().unwrap());
        // {"fmt": "none", "attStmt": {}, "authData": data}
        let mut object = vec![0xa3, 0x63];
        object.extend(b"fmt");
        object.push(0x64);
        object.extend(b"none");
        object.push(0x67);
        object.extend(b"attStmt");
        object.extend([0xa0, 0x68]);
        object.extend(b"authData");
        object.extend([0x58, data.len() as u8]);
        object.extend(&data);
        json!({
            "id": BASE64URL.encode(&self.id),
            "rawId": BASE64URL.encode(&self.id),
            "type": "public-key",
            "response": {
                "attestationObject": BASE64URL.encode(object),
                "clientDataJSON": BASE64URL.encode(client_data),
                "transports": ["internal"],
            },
            "clientExtensionResults": {},
        })
        .to_string()
    }

    /// What a browser gives for `navigator.credentials.get`.
    pub fn get(&mut self, options: &str) -> String {
        let options: Value = serde_json::from_str(options).unwrap();
        let options = &options["publicKey"];
        let client_data = self.client_data("webauthn.get", &options["challenge"]);
        let data = self.data(0, options["rpId"].as_str().unwrap());
        let mut signed = data.clone();
        signed.extend(Sha256::digest(client_data.as_bytes()));
        let signature: Signature = self.key.sign(&signed);
        json!({
            "id": BASE64URL.encode(&self.id),
            "rawId": BASE64URL.encode(&self.id),
            "type": "public-key",
            "response": {
                "authenticatorData": BASE64URL.encode(data),
                "clientDataJSON": BASE64URL.encode(client_data),
                "signature": BASE64URL.encode(signature.to_der()),
                "userHandle": self.user,
            },
            "clientExtensionResults": {},
        })
        .to_string()
    }
}
