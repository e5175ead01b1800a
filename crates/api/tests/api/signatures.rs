//! Signed requests: README of the wire, section 9. The worked examples are tested beside the code;
//! here that requests are let in or not.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use storage::accounts;

use crate::house::{House, NOW, Request};

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|b| format!("{b:02x}")).collect()
}

struct Signing<'a> {
    secret: &'a str,
    timestamp: i64,
    nonce: &'a str,
}

impl Signing<'_> {
    fn sign<'h>(&self, request: Request<'h>, method: &str, url: &str, body: &str) -> Request<'h> {
        let mut mac = Hmac::<Sha256>::new_from_slice(self.secret.as_bytes()).unwrap();
        let digest = hex(&Md5::digest(body));
        mac.update(format!("{}\n{}\n{method}\n{url}\n{digest}", self.timestamp, self.nonce).as_bytes());
        request
            .header("X-Timestamp", &self.timestamp.to_string())
            .header("X-Nonce", self.nonce)
            .header("X-Signature", &hex(&mac.finalize().into_bytes()))
    }
}

async fn demand_signatures(house: &House) {
    let mut settings = house.main.settings.clone();
    settings.signature_required = true;
    let mut tx = house.gateway.db.begin().await.unwrap();
    accounts::set_settings(&mut tx, house.main.id, &settings).await.unwrap();
    tx.commit().await.unwrap();
    house.gateway.refresh().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_is_optional_but_never_wrong() {
    let house = House::new().await;
    let secret = house.main.settings.signing_key.clone();
    let now = NOW.seconds();
    let url = "https://gateway.example.test/api/balance";
    let get = || house.text("GET", "/api/balance");
    assert_eq!(get().body_text().await, "100.00", "none at all");
    let good = Signing { secret: &secret, timestamp: now, nonce: "n1" };
    assert_eq!(good.sign(get(), "GET", url, "").body_text().await, "100.00");
    assert_eq!(good.sign(get(), "GET", url, "").body_text().await, "901", "the nonce a second time");
    #[rustfmt::skip]
    let wrong = [
        ("another secret", Signing { secret: "other", timestamp: now,      nonce: "n2" }, url),
        ("too old",        Signing { secret: &secret, timestamp: now - 31, nonce: "n3" }, url),
        ("too early",      Signing { secret: &secret, timestamp: now + 60, nonce: "n4" }, url),
        ("another URL",    Signing { secret: &secret, timestamp: now,      nonce: "n5" }, "https://gateway.example.test/api/sms"),
    ];
    for (what, signing, url) in wrong {
        let answer = signing.sign(get(), "GET", url, "").send().await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "901"), "{what}");
    }
    let nonsense = get().header("X-Signature", "nonsense");
    assert_eq!(nonsense.body_text().await, "901");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_may_demand_signatures() {
    let house = House::new().await;
    demand_signatures(&house).await;
    let secret = house.main.settings.signing_key.clone();
    assert_eq!(house.text("GET", "/api/balance").body_text().await, "901");
    assert_eq!(house.ask("GET", "/api/balance").send().await.body, "\"901\"");
    let body = "to=4915100000001&text=Hello+World&from=DEMO";
    let url = "https://gateway.example.test/api/sms";
    let signing = |nonce| Signing { secret: &secret, timestamp: NOW.seconds(), nonce };
    let post = || house.text("POST", "/api/sms").form(body);
    assert_eq!(signing("a").sign(post(), "POST", url, body).body_text().await, "100");
    // A body that was changed on the way sends nothing.
    let changed = house.text("POST", "/api/sms").form("to=4915100000002&text=Hello+World&from=DEMO");
    assert_eq!(signing("b").sign(changed, "POST", url, body).body_text().await, "901");
    // JS: JSON content type on a GET, signed over the empty text.
    let url = "https://gateway.example.test/api/journal/outbound?limit=5&offset=0";
    let get =
        house.ask("GET", "/api/journal/outbound?limit=5&offset=0").header("Content-Type", "application/json");
    assert_eq!(signing("c").sign(get, "GET", url, "").json().await.as_array().unwrap().len(), 1);
    assert_eq!(house.messages().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_keys_demand_stays_in_force_below() {
    let house = House::new().await;
    let child = house.account("Child", Some(house.main.id), 10).await;
    let master = house.key(house.main.id, |new| new.subaccount_access = true).await;
    demand_signatures(&house).await;
    let below = || {
        let request = house.bare("GET", "/api/balance").header("X-Api-Key", &master);
        request.header("X-Account-Id", &child.id.to_string())
    };
    assert_eq!(below().body_text().await, "901");
    // Signed with the key of the account that the API key belongs to.
    let secret = &house.main.settings.signing_key;
    let signing = Signing { secret, timestamp: NOW.seconds(), nonce: "a" };
    let signed = signing.sign(below(), "GET", "https://gateway.example.test/api/balance", "");
    assert_eq!(signed.body_text().await, "10.00");
}
