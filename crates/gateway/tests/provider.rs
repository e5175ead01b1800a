//! Signing in by a provider (OpenID Connect): a provider of our own, over HTTP, which checks what a real
//! one checks (client, redirect, PKCE) and signs by RS256 or EdDSA.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

mod house;
mod people_house;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{Form, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use domain::login::Step;
use gateway::people::PeopleRules;
use gateway::provider::links::{self, LinkError};
use gateway::provider::{self, Back, Begun, Brought, ProviderError, ProviderSettings};
use gateway::second_factor::FactorError;
use gateway::sessions::SignedIn;
use gateway::sign_in::{self, SignInError};
use gateway::{Base, Clock};
use house::{NOW, count};
use openidconnect::core::{
    CoreEdDsaPrivateSigningKey, CoreIdToken, CoreIdTokenClaims, CoreJsonWebKey, CoreJwsSigningAlgorithm,
    CoreRsaPrivateSigningKey,
};
use openidconnect::{JsonWebKeyId, PrivateSigningKey as _};
use people_house::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const CLIENT_ID: &str = "branchline";
const CLIENT_SECRET: &str = "a secret of ours";
const BACK_AT: &str = "http://localhost:8077/sign-in/provider";

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_linked_once_its_password_was_shown_and_by_the_providers_word_afterwards() {
    let idp = Provider::start().await;
    for database in testing::engines().await {
        let base = base(&database, &idp).await;
        let eva = person(&base, "eva@example.com").await;
        let begun = provider::begin(&base, &HOME).await.unwrap();
        let (state, code) =
            idp.agree(&begun, json!({ "sub": "e1", "email": "Eva@example.com", "email_verified": true }));
        let Back::Confirm { token, email } = finish(&base, &begun, &state, &code).await.unwrap() else {
            panic!("the address alone lets nobody in");
        };
        assert_eq!(email.as_str(), "eva@example.com");
        let wrong = provider::confirm(&base, &token, "wrong wrong wrong", &HOME).await;
        assert!(matches!(wrong, Err(SignInError::Wrong)));
        let (a, b) = tokio::join!(
            provider::confirm(&base, &token, PASSWORD, &HOME),
            provider::confirm(&base, &token, PASSWORD, &HOME),
        );
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{}", database.engine());
        assert!(is_in(&base, &a.or(b).unwrap().token).await);
        // From now on by the subject, whatever the address is.
        let back =
            round(&base, &idp, json!({ "sub": "e1", "email": "new@example.com", "email_verified": false }))
                .await;
        let Back::Entered(entered) = back.unwrap() else { panic!("they are known") };
        assert_eq!((entered.login.id, entered.step), (eva, Step::SignedIn));
        assert_eq!(provider::known_at(&base, eva).await.unwrap()[0].0, idp.issuer);
        // The address of a known login in the hands of another subject is nothing.
        let back =
            round(&base, &idp, json!({ "sub": "e2", "email": "eva@example.com", "email_verified": true }))
                .await;
        assert!(matches!(back, Ok(Back::Confirm { .. })));
        // A second factor that was set up here is owed still.
        with_app(&base, "eva@example.com").await;
        let Back::Entered(entered) = round(&base, &idp, json!({ "sub": "e1" })).await.unwrap() else {
            panic!("they are known")
        };
        assert_eq!(entered.step, Step::SecondFactorOwed);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_is_invited_gets_a_login_and_only_by_a_verified_address() {
    let idp = Provider::start().await;
    for database in testing::engines().await {
        let base = base(&database, &idp).await;
        let account = account(&base, "shop@example.com").await;
        invite(&base, account.id, "neu@example.com").await;
        let claims = |sub: &str, email: &str, verified: bool| json!({ "sub": sub, "email": email, "email_verified": verified, "name": "Nina Neu" });
        let back = round(&base, &idp, claims("n1", "neu@example.com", false)).await;
        assert!(matches!(back, Err(ProviderError::Unverified)));
        let back = round(&base, &idp, json!({ "sub": "n1" })).await;
        assert!(matches!(back, Err(ProviderError::Unverified)));
        let back = round(&base, &idp, claims("n2", "other@example.com", true)).await;
        assert!(matches!(back, Err(ProviderError::Unknown)));
        assert_eq!(count(&base.db, "select count(*) from logins").await, 0);
        let back = round(&base, &idp, claims("n1", "neu@example.com", true)).await;
        let Back::Entered(entered) = back.unwrap() else { panic!("they are invited") };
        assert_eq!((entered.login.name.as_str(), entered.login.password_at), ("Nina Neu", None));
        // Without a password nobody guesses one.
        assert!(matches!(try_in(&base, "neu@example.com", "", &HOME).await, Err(SignInError::Wrong)));
        // Another who comes with the same address is not let in to it.
        let back = round(&base, &idp, claims("n9", "neu@example.com", true)).await;
        assert!(matches!(back, Ok(Back::Confirm { .. })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_belongs_to_one_browser_one_time_and_one_code() {
    let idp = Provider::start().await;
    for database in testing::engines().await {
        let base = base(&database, &idp).await;
        let account = account(&base, "shop@example.com").await;
        invite(&base, account.id, "eva@example.com").await;
        let claims = json!({ "sub": "e1", "email": "eva@example.com", "email_verified": true });
        // Begun in another browser: the cookie does not fit.
        let (mine, theirs) =
            (provider::begin(&base, &HOME).await.unwrap(), provider::begin(&base, &HOME).await.unwrap());
        let (state, code) = idp.agree(&theirs, claims.clone());
        let planted = finish(&base, &mine, &state, &code).await;
        assert!(matches!(planted, Err(ProviderError::Ended)));
        // A code that was got for another sign-in: its PKCE does not fit.
        let (mine_state, _) = idp.agree(&mine, claims.clone());
        let injected = finish(&base, &mine, &mine_state, &code).await;
        assert!(matches!(injected, Err(ProviderError::Refused)), "{:?}", injected.err());
        // Twice.
        let begun = provider::begin(&base, &HOME).await.unwrap();
        let (state, code) = idp.agree(&begun, claims.clone());
        finish(&base, &begun, &state, &code).await.unwrap();
        assert!(matches!(finish(&base, &begun, &state, &code).await, Err(ProviderError::Ended)));
        // Too late.
        let begun = provider::begin(&base, &HOME).await.unwrap();
        let (state, code) = idp.agree(&begun, claims.clone());
        base.clock.set(base.clock.now().after(Duration::from_secs(15 * 60)));
        assert!(matches!(finish(&base, &begun, &state, &code).await, Err(ProviderError::Ended)));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_the_providers_or_not_for_us_are_refused_and_new_keys_are_found() {
    let idp = Provider::start().await;
    let database = testing::sqlite().await;
    let base = base(&database, &idp).await;
    let account = account(&base, "shop@example.com").await;
    invite(&base, account.id, "eva@example.com").await;
    let good = json!({ "sub": "e1", "email": "eva@example.com", "email_verified": true });
    let with = |key: &str, value: Value| {
        let mut claims = good.clone();
        claims[key] = value;
        claims
    };
    for (what, claims) in [
        ("another audience", with("aud", json!(["somebody else"]))),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("another nonce", with("nonce", json!("made up"))),
        ("an end that is over", with("exp", json!(1_000_000_000))),
    ] {
        let back = round(&base, &idp, claims).await;
        assert!(matches!(back, Err(ProviderError::Failed)), "{what}");
    }
    idp.sign_by(Signs::Stranger);
    assert!(matches!(round(&base, &idp, good.clone()).await, Err(ProviderError::Failed)));
    idp.sign_by(Signs::EdDsa);
    assert!(matches!(round(&base, &idp, good.clone()).await, Ok(Back::Entered(_))));
    // The key changes after we asked for it.
    idp.sign_by(Signs::RenewedEdDsa);
    assert!(matches!(round(&base, &idp, good.clone()).await, Ok(Back::Entered(_))));
    idp.sign_by(Signs::Rsa);
    assert!(matches!(round(&base, &idp, good).await, Ok(Back::Entered(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_provider_or_with_a_silent_one_there_is_a_plain_answer() {
    let database = testing::sqlite().await;
    let base = house::base(&database.db, Clock::standing_at(NOW)).await;
    assert!(matches!(provider::begin(&base, &HOME).await, Err(ProviderError::None)));
    assert_eq!(provider::label(&base), None);
    let idp = Provider::start().await;
    let issuer = format!("{}/nobody-here", idp.issuer);
    let base = self::base(&database, &Provider { issuer, ..idp.clone() }).await;
    assert!(matches!(provider::begin(&base, &HOME).await, Err(ProviderError::Failed)));
    assert_eq!(provider::label(&base), Some("Nordlicht"));
    // The settings show no secret.
    assert!(!format!("{:?}", base.people_rules()).contains(CLIENT_SECRET));
    let _ = sign_in::with_password(&base, "x@example.com", "", &HOME).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_is_linked_while_signed_in_and_unlinked_as_long_as_another_way_is_left() {
    let idp = Provider::start().await;
    for database in testing::engines().await {
        let base = base(&database, &idp).await;
        let shop = account(&base, "shop@example.com").await;
        let eva = person(&base, "eva@example.com").await;
        join(&base, shop.id, eva, domain::member::Role::Owner).await;
        let who = signed_in(&base, &enter(&base, "eva@example.com").await).await;
        // The address at the provider is nobody's here, and need not be verified: who links has shown both.
        let claims = json!({ "sub": "e1", "email": "private@example.org", "email_verified": false });
        let wrong = links::begin(&base, &who, "wrong wrong wrong", &HOME).await;
        assert!(matches!(wrong, Err(LinkError::Person(FactorError::Password))));
        // Somebody else's session, or none, gets nothing by coming back with it.
        person(&base, "max@example.com").await;
        let max = signed_in(&base, &enter(&base, "max@example.com").await).await;
        for other in [None, Some(&max)] {
            let begun = links::begin(&base, &who, PASSWORD, &HOME).await.unwrap();
            let (state, code) = idp.agree(&begun, claims.clone());
            let back = back(&base, &begun, &state, &code, other).await;
            assert!(matches!(back, Err(LinkError::Provider(ProviderError::Ended))));
        }
        assert_eq!(count(&base.db, "select count(*) from identities").await, 0);
        // Two at once: one is linked.
        let (one, two) = (
            links::begin(&base, &who, PASSWORD, &HOME).await.unwrap(),
            links::begin(&base, &who, PASSWORD, &HOME).await.unwrap(),
        );
        let (one_came, two_came) = (idp.agree(&one, claims.clone()), idp.agree(&two, claims.clone()));
        let (a, b) = tokio::join!(
            back(&base, &one, &one_came.0, &one_came.1, Some(&who)),
            back(&base, &two, &two_came.0, &two_came.1, Some(&who)),
        );
        assert_eq!(usize::from(a.is_ok()) + usize::from(b.is_ok()), 1, "{}", database.engine());
        assert!(matches!(links::begin(&base, &who, PASSWORD, &HOME).await, Err(LinkError::Linked)));
        let Back::Entered(entered) = round(&base, &idp, claims.clone()).await.unwrap() else {
            panic!("they are known")
        };
        assert_eq!(entered.login.id, eva);
        // The same account at the provider is nobody else's here.
        let begun = links::begin(&base, &max, PASSWORD, &HOME).await.unwrap();
        let (state, code) = idp.agree(&begun, claims.clone());
        let taken = back(&base, &begun, &state, &code, Some(&max)).await;
        assert!(matches!(taken, Err(LinkError::Taken)));
        // Unlinked, the provider's word is nothing any more.
        let wrong = links::unlink(&base, &who, &idp.issuer, "wrong wrong wrong", &HOME).await;
        assert!(matches!(wrong, Err(LinkError::Person(FactorError::Password))));
        links::unlink(&base, &who, &idp.issuer, PASSWORD, &HOME).await.unwrap();
        let again = links::unlink(&base, &who, &idp.issuer, PASSWORD, &HOME).await;
        assert!(matches!(again, Err(LinkError::NotLinked)));
        assert!(matches!(round(&base, &idp, claims).await, Err(ProviderError::Unverified)));
        assert_eq!(mails(&base, "provider-linked").await.len(), 1);
        assert_eq!(mails(&base, "provider-unlinked").await.len(), 1);
        let filter = storage::audit::Filter { action: Some("login.".into()), ..Default::default() };
        let mut conn = base.db.read().await.unwrap();
        let entries = storage::audit::page(&mut conn, shop.id, &filter, None, 9).await.unwrap();
        let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["login.unlink_provider", "login.link_provider"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_other_way_in_keeps_the_provider() {
    let idp = Provider::start().await;
    for database in testing::engines().await {
        let base = base(&database, &idp).await;
        let shop = account(&base, "shop@example.com").await;
        invite(&base, shop.id, "neu@example.com").await;
        let claims = json!({ "sub": "n1", "email": "neu@example.com", "email_verified": true });
        let Back::Entered(entered) = round(&base, &idp, claims.clone()).await.unwrap() else {
            panic!("they are invited")
        };
        let who = signed_in(&base, &entered.token).await;
        let only = links::unlink(&base, &who, &idp.issuer, "", &HOME).await;
        assert!(matches!(only, Err(LinkError::OnlyWay)));
        // An app is asked for after another way in; by itself it is none.
        let setup = gateway::second_factor::begin(&base, &who, "").await.unwrap();
        let code = code(&setup.secret, base.clock.now());
        gateway::second_factor::confirm(&base, &who, &setup.token, &code, &HOME).await.unwrap();
        let only = links::unlink(&base, &who, &idp.issuer, "", &HOME).await;
        assert!(matches!(only, Err(LinkError::OnlyWay)));
        gateway::logins::change_password(&base, &who, "", NEW_PASSWORD, &HOME).await.unwrap();
        links::unlink(&base, &who, &idp.issuer, NEW_PASSWORD, &HOME).await.unwrap();
        assert!(matches!(round(&base, &idp, claims).await, Ok(Back::Confirm { .. })));
    }
}

async fn base(database: &testing::TestDatabase, idp: &Provider) -> Base {
    let base = house::base(&database.db, Clock::standing_at(NOW)).await;
    let provider = Some(ProviderSettings {
        issuer: idp.issuer.clone(),
        client_id: CLIENT_ID.into(),
        client_secret: Some(CLIENT_SECRET.into()),
        label: "Nordlicht".into(),
    });
    base.people_sign_in_by(PeopleRules { provider, ..PeopleRules::default() });
    base
}

async fn finish(base: &Base, begun: &Begun, state: &str, code: &str) -> Result<Back, ProviderError> {
    match back(base, begun, state, code, None).await {
        Err(LinkError::Provider(error)) => Err(error),
        other => Ok(other.unwrap()),
    }
}

/// Comes back with a browser that is perhaps signed in.
async fn back(
    base: &Base,
    begun: &Begun,
    state: &str,
    code: &str,
    who: Option<&SignedIn>,
) -> Result<Back, LinkError> {
    let brought = Brought { state, code, kept: &begun.token };
    provider::finish(base, brought, who, &HOME).await
}

/// Goes to the provider and back.
async fn round(base: &Base, idp: &Provider, claims: Value) -> Result<Back, ProviderError> {
    let begun = provider::begin(base, &HOME).await.unwrap();
    let (state, code) = idp.agree(&begun, claims);
    finish(base, &begun, &state, &code).await
}

/// What tokens are signed by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Signs {
    Rsa,
    EdDsa,
    RenewedEdDsa,
    /// A key that is not the provider's.
    Stranger,
}

#[derive(Clone)]
struct Provider {
    issuer: String,
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    rsa: String,
    signs: Mutex<Signs>,
    /// By code: the challenge of PKCE, and what to say of whom.
    codes: Mutex<HashMap<String, (String, Value)>>,
}

impl Provider {
    async fn start() -> Provider {
        // Who asks over HTTP does so by a client that could speak TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}", listener.local_addr().unwrap());
        let key = tokio::task::spawn_blocking(|| {
            use rsa::pkcs1::EncodeRsaPrivateKey as _;
            let key = rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, 2048).unwrap();
            key.to_pkcs1_pem(rsa::pkcs1::LineEnding::LF).unwrap().to_string()
        });
        let inner = Arc::new(Inner {
            issuer: issuer.clone(),
            rsa: key.await.unwrap(),
            signs: Mutex::new(Signs::Rsa),
            codes: Mutex::default(),
        });
        let app = Router::new()
            .route("/.well-known/openid-configuration", get(describe))
            .route("/keys", get(keys))
            .route("/token", post(exchange))
            .with_state(inner.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Provider { issuer, inner }
    }

    fn sign_by(&self, signs: Signs) {
        *self.inner.signs.lock().unwrap() = signs;
    }

    /// Somebody follows the link, signs in and agrees: gives what the browser comes back with.
    fn agree(&self, begun: &Begun, mut claims: Value) -> (String, String) {
        let url = reqwest::Url::parse(&begun.url).unwrap();
        assert_eq!(url.path(), "/authorize");
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        let is = |key: &str| asked[key].as_str();
        assert_eq!((is("response_type"), is("client_id"), is("redirect_uri")), ("code", CLIENT_ID, BACK_AT));
        assert_eq!((is("scope"), is("code_challenge_method")), ("openid email profile", "S256"));
        if claims.get("nonce").is_none() {
            claims["nonce"] = json!(is("nonce"));
        }
        let code = BASE64URL.encode(Sha256::digest(is("nonce").as_bytes()));
        self.inner.codes.lock().unwrap().insert(code.clone(), (is("code_challenge").to_owned(), claims));
        (is("state").to_owned(), code)
    }
}

async fn describe(State(idp): State<Arc<Inner>>) -> Json<Value> {
    let issuer = &idp.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "EdDSA"],
    }))
}

fn ed25519(seed: u8) -> CoreEdDsaPrivateSigningKey {
    // A private key as PKCS#8 writes it: RFC 8410, section 7.
    let mut der = vec![0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
    der.extend([seed; 32]);
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", BASE64.encode(der));
    CoreEdDsaPrivateSigningKey::from_ed25519_pem(&pem, Some(JsonWebKeyId::new(format!("ed {seed}")))).unwrap()
}

fn rsa_key(idp: &Inner) -> CoreRsaPrivateSigningKey {
    CoreRsaPrivateSigningKey::from_pem(&idp.rsa, Some(JsonWebKeyId::new("rsa".into()))).unwrap()
}

async fn keys(State(idp): State<Arc<Inner>>) -> Json<Value> {
    let seed = if *idp.signs.lock().unwrap() == Signs::RenewedEdDsa { 4 } else { 3 };
    let keys: Vec<CoreJsonWebKey> =
        vec![rsa_key(&idp).as_verification_key(), ed25519(seed).as_verification_key()];
    Json(json!({ "keys": keys }))
}

async fn exchange(
    State(idp): State<Arc<Inner>>,
    headers: HeaderMap,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let refuse = |error: &str| (StatusCode::BAD_REQUEST, Json(json!({ "error": error }))).into_response();
    let expected =
        format!("Basic {}", BASE64.encode(format!("{CLIENT_ID}:{}", CLIENT_SECRET.replace(' ', "+"))));
    if headers.get("authorization").and_then(|h| h.to_str().ok()) != Some(expected.as_str()) {
        return refuse("invalid_client");
    }
    if form["grant_type"] != "authorization_code" || form["redirect_uri"] != BACK_AT {
        return refuse("invalid_request");
    }
    let Some((challenge, claims)) = idp.codes.lock().unwrap().remove(&form["code"]) else {
        return refuse("invalid_grant");
    };
    if BASE64URL.encode(Sha256::digest(form["code_verifier"].as_bytes())) != challenge {
        return refuse("invalid_grant");
    }
    let now = Clock::of_the_machine().now().seconds();
    let mut all = json!({ "iss": idp.issuer, "aud": [CLIENT_ID], "iat": now, "exp": now + 300 });
    for (name, value) in claims.as_object().unwrap() {
        all[name] = value.clone();
    }
    let claims: CoreIdTokenClaims = serde_json::from_value(all).unwrap();
    let signs = *idp.signs.lock().unwrap();
    let by_ed =
        |seed| CoreIdToken::new(claims.clone(), &ed25519(seed), CoreJwsSigningAlgorithm::EdDsa, None, None);
    let token = match signs {
        Signs::Rsa => {
            let by = CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256;
            CoreIdToken::new(claims.clone(), &rsa_key(&idp), by, None, None)
        }
        Signs::EdDsa => by_ed(3),
        Signs::RenewedEdDsa => by_ed(4),
        Signs::Stranger => by_ed(5),
    };
    Json(json!({
        "access_token": "unused",
        "token_type": "Bearer",
        "expires_in": 300,
        "id_token": token.unwrap().to_string(),
    }))
    .into_response()
}
