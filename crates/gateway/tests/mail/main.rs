//! Mails, from the transaction that causes them to a mail server over TCP, on both engines.

#![allow(clippy::unwrap_used, reason = "this is a test, down to its helpers")]

use std::path::Path;
use std::time::Duration;

use domain::account::Account;
use domain::actor::Actor;
use domain::moment::Moment;
use domain::phone_number::Country;
use gateway::accounts::NewAccount;
use gateway::mail::post::{KEPT_FOR, Post, TRIED_FOR, Turn, turn};
use gateway::mail::server::{Server, Tls, keeper, mailbox};
use gateway::mail::{Message, To, enqueue, enqueue_to_members};
use gateway::{Base, Clock, Rules, accounts, mail};
use jiff::tz::TimeZone;
use storage::mails::{self, Mail, MailState};
use testing::TestDatabase;

mod sink;

use sink::{CERTIFICATE, Got, Mood, Sink, Wants};

const NOW: Moment = Moment(1_780_000_000_000_000);
const SECRET: &str = "c2VjcmV0LW9mLWEtbGluaw";

async fn base(database: &TestDatabase) -> Base {
    let rules = Rules {
        default_country: Country::parse("DE").unwrap(),
        time_zone: TimeZone::UTC,
        currency: "EUR".into(),
        default_sender: "Branchline".into(),
        depth_max: 3,
        public_urls: vec!["https://sms.example.com".into()],
    };
    let base = Base::new(database.db.clone(), Clock::standing_at(NOW), rules).await.unwrap();
    gateway::seal::begin(&base, &gateway::seal::Key::parse(&"A".repeat(43)).unwrap()).await.unwrap();
    base
}

fn server(sink: &Sink) -> Server {
    Server {
        host: "localhost".into(),
        port: sink.address.port(),
        tls: Tls::None,
        authority: Some(CERTIFICATE.to_vec()),
        login: None,
        from: mailbox("Branchline <sms@example.com>").unwrap(),
        reply_to: Some(mailbox("help@example.com").unwrap()),
        hello: "sms.example.com".into(),
        answer_within: Duration::from_millis(700),
    }
}

fn post(server: Option<Server>, folder: &Path) -> Post {
    Post { server, folder: folder.join("mails"), from: keeper() }
}

/// Sends what is due.
async fn sends(base: &Base, server: &Server) -> Turn {
    turn(base, &post(Some(server.clone()), Path::new("/nowhere")), || false).await.unwrap()
}

async fn reset(base: &Base, to: &str) -> i64 {
    let doing = mail::Doing { at: NOW, address: "192.0.2.1", browser: "Firefox on Linux" };
    let message = Message::PasswordReset { secret: SECRET, doing, expires_at: NOW };
    let to = To { email: to, language: Some("de-AT"), ..To::default() };
    let mut tx = base.db.begin().await.unwrap();
    let id = enqueue(&mut tx, base, &to, &message, base.clock.now()).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn stored(base: &Base, id: i64) -> Mail {
    mails::find(&mut base.db.read().await.unwrap(), id).await.unwrap().unwrap()
}

async fn account(base: &Base, email: &str, parent: Option<&Account>) -> Account {
    let new = NewAccount {
        company: Some("Muster GmbH".into()),
        owner: "Max Muster".into(),
        email: domain::account::Email::parse(email).unwrap(),
        parent: parent.map(|p| p.id),
        credits: domain::credits::Credits::ZERO,
    };
    accounts::create(base, &new, &Actor::command_line()).await.unwrap()
}

/// A text as a mail program reads it.
fn read(got: &Got) -> String {
    let soft = got.text.replace("=\n", "");
    let octets: Vec<u8> = {
        let (mut out, mut rest) = (Vec::new(), soft.as_bytes());
        while let [first, tail @ ..] = rest {
            let hex = tail
                .get(..2)
                .and_then(|h| std::str::from_utf8(h).ok())
                .and_then(|h| u8::from_str_radix(h, 16).ok());
            match (first, hex) {
                (b'=', Some(octet)) => {
                    out.push(octet);
                    rest = &tail[2..];
                }
                _ => {
                    out.push(*first);
                    rest = tail;
                }
            }
        }
        out
    };
    String::from_utf8_lossy(&octets).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_once_in_words_and_as_html_and_its_secret_is_forgotten() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let sink = Sink::start(Wants::default(), &[]).await;
        let id = reset(&base, "anna@example.com").await;
        let waiting = stored(&base, id).await;
        assert_eq!((waiting.state, waiting.attempts), (MailState::Waiting, 0));
        assert!(!waiting.plain.contains(SECRET) && !waiting.html.contains(SECRET));
        assert!(!waiting.secret.as_deref().unwrap().contains(SECRET), "it is sealed");
        assert_eq!(mail::post::opened(&base, &waiting).unwrap().as_deref(), Some(SECRET));

        assert_eq!(sends(&base, &server(&sink)).await, Turn { done: 1, ..Turn::default() });
        assert_eq!(sends(&base, &server(&sink)).await, Turn::default());
        let got = sink.got();
        assert_eq!(got.len(), 1);
        assert_eq!(
            (got[0].from.as_str(), &got[0].to),
            ("sms@example.com", &vec!["anna@example.com".to_owned()])
        );
        let text = read(&got[0]);
        for part in [
            "From: Branchline <sms@example.com>",
            "Reply-To: help@example.com",
            "To: anna@example.com",
            "Auto-Submitted: auto-generated",
            "Content-Type: multipart/alternative",
            "Content-Type: text/plain",
            "Content-Type: text/html",
            "Thu, 28 May 2026 20:26:40 +0000",
            "Passwort wählen",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert_eq!(text.matches(&format!("https://sms.example.com/reset/{SECRET}")).count(), 4);
        let sent = stored(&base, id).await;
        assert_eq!(
            (sent.state, sent.sent_at, sent.secret, sent.error),
            (MailState::Sent, Some(NOW), None, None)
        );
        // A link that worked once is not sent again.
        let mut tx = base.db.begin().await.unwrap();
        assert!(!mails::send_again(&mut tx, id, NOW).await.unwrap());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rolled_back_is_not_mailed() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None).await;
        let mut tx = base.db.begin().await.unwrap();
        let message = Message::AccountSuspended { account: (&root).into(), by: "operator", reason: "test" };
        enqueue_to_members(&mut tx, &base, root.id, &mail::LEADERS, &message, NOW).await.unwrap();
        drop(tx);
        let counts = mails::counts(&mut base.db.read().await.unwrap()).await.unwrap();
        assert!(counts.iter().all(|(_, count)| *count == 0), "{counts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_mailed_when_it_is_suspended_and_when_it_begins_to_close() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let actor = &Actor::command_line();
        let root = account(&base, "root@example.com", None).await;
        let child = account(&base, "child@example.com", Some(&root)).await;
        let mailed = async || {
            let all = mails::page(&mut base.db.read().await.unwrap(), None, None, 99).await.unwrap();
            all.into_iter().map(|mail| (mail.recipient, mail.kind)).collect::<Vec<_>>()
        };
        for reason in ["unpaid", "still unpaid"] {
            accounts::suspend(&base, child.id, reason, actor).await.unwrap();
            // Told once, however often it is suspended.
            assert_eq!(mailed().await, [("child@example.com".to_owned(), "account-suspended".to_owned())]);
        }
        for _ in 0..2 {
            accounts::close(&base, child.id, accounts::When::Later, "no longer needed", actor).await.unwrap();
            assert_eq!(mailed().await[0], ("child@example.com".to_owned(), "account-closing".to_owned()));
            assert_eq!(mailed().await.len(), 2);
        }
        let shown = mails::page(&mut base.db.read().await.unwrap(), None, None, 1).await.unwrap();
        let shown = stored(&base, shown[0].id).await;
        assert!(
            shown.plain.contains("no longer needed") && shown.plain.contains("27 June 2026"),
            "{}",
            shown.plain
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_encrypted_and_signed_in_as_the_settings_say() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    #[rustfmt::skip]
    let cases = [
        // the sink's                                                  our                our login                      sent
        (Wants { starttls: true, ..Wants::default() },                 Tls::StartTls, None,                               true),
        (Wants { implicit_tls: true, ..Wants::default() },             Tls::Implicit, None,                               true),
        (Wants { starttls: true, login: Some(("PLAIN", "u", "p")), ..Wants::default() },
                                                                       Tls::StartTls, Some(("u", "p")),                   true),
        (Wants { implicit_tls: true, login: Some(("LOGIN", "u", "p")), ..Wants::default() },
                                                                       Tls::Implicit, Some(("u", "p")),                   true),
        (Wants { login: Some(("LOGIN PLAIN", "u", "p")), ..Wants::default() },
                                                                       Tls::None,     Some(("u", "p")),                   true),
        (Wants { starttls: true, login: Some(("PLAIN", "u", "p")), ..Wants::default() },
                                                                       Tls::StartTls, Some(("u", "wrong")),               false),
        (Wants { starttls: true, login: Some(("CRAM-MD5", "u", "p")), ..Wants::default() },
                                                                       Tls::StartTls, Some(("u", "p")),                   false),
        // A server that offers no encryption gets nothing, also from one who asked for it.
        (Wants::default(),                                             Tls::StartTls, None,                               false),
        (Wants { login: Some(("PLAIN", "u", "p")), ..Wants::default() }, Tls::StartTls, Some(("u", "p")),                 false),
        (Wants::default(),                                             Tls::Implicit, None,                               false),
    ];
    for (wants, tls, login, sent) in cases {
        let sink = Sink::start(wants, &[]).await;
        let id = reset(&base, "anna@example.com").await;
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let turned = sends(&base, &Server { tls, login: login.clone(), ..server(&sink) }).await;
        let at = format!("{wants:?} {tls:?} {login:?}: {turned:?} {:?}", stored(&base, id).await.error);
        assert_eq!((turned.done, turned.unreached), (usize::from(sent), !sent), "{at}");
        let got = sink.got();
        assert_eq!(got.len(), usize::from(sent), "{at}");
        if sent {
            assert_eq!((got[0].encrypted, got[0].signed_in), (tls != Tls::None, login.is_some()), "{at}");
        } else {
            // It says nothing about the mail, which is tried again.
            assert_eq!(stored(&base, id).await.state, MailState::Waiting, "{at}");
            assert!(!stored(&base, id).await.error.unwrap().contains("\"p\""));
            base.db.begin().await.unwrap().execute("delete from mails", &[]).await.unwrap();
        }
        let mut tx = base.db.begin().await.unwrap();
        tx.execute("delete from mails", &[]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_nobody_we_know_is_not_trusted() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    let sink = Sink::start(Wants { starttls: true, ..Wants::default() }, &[]).await;
    let id = reset(&base, "anna@example.com").await;
    let turned = sends(&base, &Server { tls: Tls::StartTls, authority: None, ..server(&sink) }).await;
    assert!(turned.unreached && sink.got().is_empty());
    let error = stored(&base, id).await.error.unwrap();
    assert!(error.contains("certificate"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_tried_again_or_given_up_and_nothing_comes_twice() {
    #[rustfmt::skip]
    let cases = [
        // how the first session goes                          given up  the error says              copies in the end
        (Mood::Says("greeting", "554 no service"),             false,    "no service",               1),
        (Mood::Says("ehlo", "421 later"),                      false,    "later",                    1),
        (Mood::Says("mail", "451 busy"),                       false,    "busy",                     1),
        (Mood::Says("rcpt", "450 mailbox busy"),               false,    "mailbox busy",             1),
        (Mood::Says("rcpt", "550 no such user here"),          true,     "no such user here",        0),
        (Mood::Says("mail", "550 not you"),                    true,     "not you",                  0),
        (Mood::Says("data", "554 no"),                         true,     "no",                       0),
        (Mood::Says("dot", "554 this is spam"),                true,     "this is spam",             0),
        (Mood::Says("dot", "452 disk full"),                   false,    "disk full",                1),
        (Mood::Says("rcpt", "nonsense"),                       false,    "",                         1),
        (Mood::Hangs("greeting"),                              false,    "did not answer",           1),
        (Mood::Hangs("mail"),                                  false,    "no answer within",         1),
        (Mood::HangsUp("greeting"),                            false,    "",                         1),
        (Mood::HangsUp("rcpt"),                                false,    "",                         1),
        (Mood::HangsUp("body"),                                false,    "",                         1),
        // The answer to the dot is lost: nobody can know, and twice is better than never.
        (Mood::HangsUp("dot"),                                 false,    "",                         2),
        (Mood::Hangs("dot"),                                   false,    "no answer within",         2),
    ];
    let database = testing::sqlite().await;
    let base = base(&database).await;
    for (mood, given_up, says, copies) in cases {
        base.clock.set(NOW);
        let sink = Sink::start(Wants::default(), &[mood]).await;
        let id = reset(&base, "anna@example.com").await;
        sends(&base, &server(&sink)).await;
        let tried = stored(&base, id).await;
        let error = tried.error.clone().unwrap();
        let state = if given_up { MailState::GivenUp } else { MailState::Waiting };
        assert_eq!((tried.state, tried.attempts), (state, 1), "{mood:?}: {error}");
        assert!(error.contains(says), "{mood:?}: {error}");
        // Not before its pause is over; then the sink agrees.
        base.clock.set(NOW.after(Duration::from_secs(59)));
        assert_eq!(sends(&base, &server(&sink)).await, Turn::default(), "{mood:?}");
        base.clock.set(NOW.after(Duration::from_secs(61)));
        assert_eq!(sends(&base, &server(&sink)).await.done, usize::from(!given_up), "{mood:?}");
        let got = sink.got();
        assert_eq!(got.len(), copies, "{mood:?}");
        let names: Vec<_> =
            got.iter().map(|g| g.text.lines().find(|l| l.starts_with("Message-ID:"))).collect();
        assert!(names.windows(2).all(|pair| pair[0].is_some() && pair[0] == pair[1]), "{names:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_connection_carries_many_and_a_refusal_does_not_stop_the_others() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let sink = Sink::start(Wants::default(), &[]).await;
        for n in 0..20 {
            reset(&base, &format!("person{n}@example.com")).await;
        }
        assert_eq!(sends(&base, &server(&sink)).await.done, 20);
        assert_eq!((sink.got().len(), sink.sessions()), (20, 1));

        let refused_first = Sink::start(Wants::default(), &[Mood::Says("rcpt", "550 unknown")]).await;
        for n in 0..3 {
            reset(&base, &format!("person{n}@example.com")).await;
        }
        let turned = sends(&base, &server(&refused_first)).await;
        assert_eq!((turned.done, turned.given_up), (2, 1));
        assert_eq!(refused_first.got().len(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_written_to_is_given_up() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    let sink = Sink::start(Wants::default(), &[]).await;
    for bad in ["ü@example.com", "a@b@c", "a b@example.com", "x@example.com\r\nBcc: y@example.com"] {
        let id = reset(&base, bad).await;
        assert_eq!(sends(&base, &server(&sink)).await.given_up, 1, "{bad}");
        assert!(stored(&base, id).await.error.is_some());
    }
    assert_eq!(sink.got(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_two_days_it_is_given_up_with_its_error_and_can_be_sent_again() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = silent.local_addr().unwrap().port();
        drop(silent); // Nobody listens there now.
        let sink = Sink::start(Wants::default(), &[]).await;
        let nobody = Server { port, ..server(&sink) };
        let id = reset(&base, "anna@example.com").await;
        let mut tries = 0;
        loop {
            let turned = sends(&base, &nobody).await;
            assert!(turned.unreached);
            tries += 1;
            let mail = stored(&base, id).await;
            if mail.state == MailState::GivenUp {
                assert_eq!(turned.given_up, 1);
                assert!(mail.error.unwrap().contains(&format!("localhost:{port}")));
                break;
            }
            assert_eq!(mail.attempts, tries);
            base.clock.set(mail.due_at);
        }
        let now = base.clock.now();
        assert!(now.since(NOW) >= TRIED_FOR && now.since(NOW) < TRIED_FOR + Duration::from_secs(6 * 3600));
        assert!((10..25).contains(&tries), "{tries}");
        assert_eq!(sends(&base, &server(&sink)).await, Turn::default());

        let mut tx = base.db.begin().await.unwrap();
        assert!(mails::send_again(&mut tx, id, now).await.unwrap());
        assert!(!mails::send_again(&mut tx, id, now).await.unwrap(), "it waits already");
        assert!(!mails::send_again(&mut tx, 77, now).await.unwrap(), "there is none");
        tx.commit().await.unwrap();
        assert_eq!(sends(&base, &server(&sink)).await.done, 1);
        assert_eq!(sink.got().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_servers_share_the_work_and_send_each_mail_once() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let sink = Sink::start(Wants::default(), &[]).await;
        for n in 0..60 {
            reset(&base, &format!("person{n}@example.com")).await;
        }
        let server = server(&sink);
        let turns = [1, 2, 3, 4].map(|_| {
            let (base, server) = (base.clone(), server.clone());
            tokio::spawn(async move { sends(&base, &server).await })
        });
        let mut done = 0;
        for turn in turns {
            done += turn.await.unwrap().done;
        }
        let mut to: Vec<String> = sink.got().into_iter().flat_map(|got| got.to).collect();
        to.sort_unstable();
        to.dedup();
        assert_eq!((done, sink.got().len(), to.len()), (60, 60, 60), "{}", base.db.engine());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_in_the_hand_of_a_server_that_died_is_sent_by_another_when_its_time_is_over() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let sink = Sink::start(Wants::default(), &[]).await;
        reset(&base, "anna@example.com").await;
        let mut tx = base.db.begin().await.unwrap();
        let claimed = mails::claim(&mut tx, NOW, NOW.after(mails::LEASE), 9).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(claimed.len(), 1);
        assert_eq!(sends(&base, &server(&sink)).await, Turn::default());
        base.clock.set(NOW.after(mails::LEASE));
        assert_eq!(sends(&base, &server(&sink)).await.done, 1);
        // What the dead one would say now comes too late.
        let mut tx = base.db.begin().await.unwrap();
        mails::note(&mut tx, &claimed[0], mails::Tried::GivenUp("late"), NOW).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(stored(&base, claimed[0].id).await.state, MailState::Sent);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_server_mails_are_kept_where_only_the_operator_reads_them() {
    use std::os::unix::fs::PermissionsExt as _;
    for database in testing::engines().await {
        let base = base(&database).await;
        let folder = tempfile::tempdir().unwrap();
        let id = reset(&base, "anna@example.com").await;
        let kept = turn(&base, &post(None, folder.path()), || false).await.unwrap();
        assert_eq!(kept, Turn { done: 1, ..Turn::default() });
        let mail = stored(&base, id).await;
        assert_eq!(mail.state, MailState::Kept);
        assert_eq!(mail::post::opened(&base, &mail).unwrap().as_deref(), Some(SECRET));
        let path = folder.path().join(format!("mails/20260528-{id}-password-reset.eml"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        let file = Got {
            from: String::new(),
            to: vec![],
            text: std::fs::read_to_string(&path).unwrap().replace("\r\n", "\n"),
            encrypted: false,
            signed_in: false,
        };
        assert!(read(&file).contains(&format!("/reset/{SECRET}")), "{}", file.text);
        // Once there is a server, it can be sent.
        let sink = Sink::start(Wants::default(), &[]).await;
        assert_eq!(sends(&base, &server(&sink)).await, Turn::default());
        let mut tx = base.db.begin().await.unwrap();
        assert!(mails::send_again(&mut tx, id, NOW).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(sends(&base, &server(&sink)).await.done, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_written_puts_a_mail_off() {
    let database = testing::sqlite().await;
    let base = base(&database).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("mails"), "in the way").unwrap();
    let id = reset(&base, "anna@example.com").await;
    assert_eq!(turn(&base, &post(None, folder.path()), || false).await.unwrap().put_off, 1);
    assert_eq!(stored(&base, id).await.state, MailState::Waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_mails_are_forgotten_but_not_those_that_wait() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let sink = Sink::start(Wants::default(), &[]).await;
        let sent = reset(&base, "anna@example.com").await;
        sends(&base, &server(&sink)).await;
        let waiting = reset(&base, "ben@example.com").await;
        let mut tx = base.db.begin().await.unwrap();
        assert_eq!(mails::forget(&mut tx, NOW, 9).await.unwrap(), 0);
        let later = NOW.after(KEPT_FOR);
        assert_eq!(mails::forget(&mut tx, later, 9).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let page = mails::page(&mut base.db.read().await.unwrap(), None, None, 9).await.unwrap();
        assert_eq!(page.iter().map(|m| m.id).collect::<Vec<_>>(), [waiting]);
        assert_ne!(sent, waiting);
        assert_eq!(page[0].plain, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_role_is_written_to_in_their_language_else_the_account_itself() {
    for database in testing::engines().await {
        let base = base(&database).await;
        let root = account(&base, "root@example.com", None).await;
        let send = async || {
            let message =
                Message::AccountSuspended { account: (&root).into(), by: "operator", reason: "test" };
            let mut tx = base.db.begin().await.unwrap();
            let count =
                enqueue_to_members(&mut tx, &base, root.id, &mail::LEADERS, &message, NOW).await.unwrap();
            tx.commit().await.unwrap();
            let all = mails::page(&mut base.db.read().await.unwrap(), None, None, 99).await.unwrap();
            let mut to: Vec<_> = all.into_iter().take(count).map(|m| (m.recipient, m.language)).collect();
            to.sort_unstable();
            to
        };
        let pair = |to: &str, language: &str| (to.to_owned(), language.to_owned());
        assert_eq!(send().await, [pair("root@example.com", "en")]);
        let mut tx = base.db.begin().await.unwrap();
        #[rustfmt::skip]
        let people = [
            // login, role, language, disabled
            (1, 0, Some("de"), None),
            (2, 1, None,       None),
            (3, 3, Some("de"), None),
            (4, 1, None,       Some(1_i64)),
        ];
        for (login, role, language, disabled) in people {
            let email = format!("p{login}@example.com");
            tx.execute(
                "insert into logins (id, email, email_folded, name, language, webauthn_id, disabled_at, created_at)
                values ($1, $2, $2, 'P', $3, $2, $4, 1)",
                &[i64::from(login).into(), (&email).into(), language.into(), disabled.into()],
            )
            .await
            .unwrap();
            tx.execute(
                "insert into members (id, account_id, login_id, role, includes_subaccounts, created_at)
                values ($1, $2, $1, $3, 0, 1)",
                &[i64::from(login).into(), root.id.0.into(), i64::from(role).into()],
            )
            .await
            .unwrap();
        }
        tx.execute("update accounts set language = 'de' where id = $1", &[root.id.0.into()]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(send().await, [pair("p1@example.com", "de"), pair("p2@example.com", "de")]);
    }
}

/// A second opinion: `python -m aiosmtpd -n -l localhost:2525` and `BRANCHLINE_TEST_SMTP=2525`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a mail server of somebody else's at the port BRANCHLINE_TEST_SMTP"]
async fn a_mail_server_of_somebody_else_takes_it() {
    let port = std::env::var("BRANCHLINE_TEST_SMTP").unwrap().parse().unwrap();
    let database = testing::sqlite().await;
    let base = base(&database).await;
    let sink = Sink::start(Wants::default(), &[]).await;
    let id = reset(&base, "anna@example.com").await;
    let turned = sends(&base, &Server { port, ..server(&sink) }).await;
    assert_eq!(turned.done, 1, "{:?}", stored(&base, id).await.error);
}
