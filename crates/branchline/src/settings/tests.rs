//! What a file, the environment and the flags may say, and what is said of their mistakes.

use domain::carrier::IdSpelling;
use gateway::mail::server::Tls;

use super::*;

const GOOD: &str = r#"listen = "127.0.0.1:9000"
public_url = ["https://sms.example.com/", "http://localhost:9000"]
database = "postgres://branchline:secret@db.example.com/sms"
currency = "chf"
time_zone = "Europe/Zurich"
default_country = "ch"
default_sender = "Alpen"
depth_max = 5

[limits]
connections_max = 100

[[carrier]]
name = "alpha"
kind = "smpp"
address = "smsc.example.com:2775"
system_id = "id"
password = "hunter2"
sessions = 2
window = 64
message_ids = "hex-then-decimal"

[[carrier]]
name = "beta"
kind = "http"
url = "https://other.example.com/api"
key = "hunter3"

[[route]]
carrier = "alpha"
countries = ["CH", "de"]

[[route]]
carrier = "beta"
priority = 2
"#;

fn read(text: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Settings, Problem> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("test.toml");
    std::fs::write(&path, text).unwrap();
    let flags = Flags { config: Some(path.clone()), ..flags.clone() };
    let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
    Settings::read(&flags, environment).map_err(|problem| {
        let folder = format!("{}/", folder.path().display());
        Problem { origin: problem.origin.replace(&folder, ""), ..problem }
    })
}

#[test]
fn how_people_sign_in_is_read_and_checked() {
    let usual = read("", &[], &Flags::default()).unwrap().people;
    assert_eq!((usual.session_idle.as_secs(), usual.session_lasts.as_secs()), (3600, 86_400));
    assert!(usual.provider.is_none());
    let text = "session_idle_minutes = 15\nsession_hours = 8\n
        [sign_in]\nissuer = \"https://id.example.com/staff/\"\nclient_id = \"b\"\nclient_secret = \"hunter2\"\n";
    let people = read(text, &[], &Flags::default()).unwrap().people;
    assert_eq!((people.session_idle.as_secs(), people.session_lasts.as_secs()), (900, 28_800));
    let provider = people.provider.unwrap();
    // A slash at its end belongs to the name of the issuer.
    assert_eq!(provider.issuer, "https://id.example.com/staff/");
    assert_eq!((provider.client_id.as_str(), provider.label.as_str()), ("b", "single sign-on"));
    assert!(!format!("{provider:?}").contains("hunter2"));
    let missing = read("[sign_in]\nissuer = \"https://id.example.com\"\n", &[], &Flags::default());
    assert!(missing.unwrap_err().message.contains("client_id"));
    let wrong = read("session_hours = 0\n", &[], &Flags::default()).unwrap_err();
    assert_eq!((wrong.key.as_str(), wrong.origin.as_str()), ("session_hours", "test.toml, line 1"));
}

#[test]
fn proxies_that_are_believed_are_networks_or_addresses() {
    let believes =
        |settings: &Settings, address: &str| settings.api.trusted_proxies.believe(address.parse().unwrap());
    let usual = read("", &[], &Flags::default()).unwrap();
    assert!(believes(&usual, "127.0.0.1") && !believes(&usual, "10.0.0.1"));
    let text = "trusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]\n";
    let some = read(text, &[], &Flags::default()).unwrap();
    assert!(believes(&some, "10.9.9.9") && believes(&some, "fd12::1") && believes(&some, "::1"));
    assert!(!believes(&some, "11.0.0.1"));
    let by_environment = [("BRANCHLINE_TRUSTED_PROXIES", "192.0.2.7")];
    let one = read(text, &by_environment, &Flags::default()).unwrap();
    assert!(believes(&one, "192.0.2.7") && !believes(&one, "10.9.9.9"));
    for (value, said) in [
        ("\"10.1.2.3/8\"", "did you mean '10.0.0.0/8' or '10.1.2.3'?"),
        ("[\"10.0.0.0/8\", \"0.0.0.0/0\"]", "'0.0.0.0/0' is everybody"),
        ("\"proxy.example.com\"", "'proxy.example.com' is no network; write it as 10.0.0.0/8"),
        ("7", "expected"),
    ] {
        let wrong = read(&format!("trusted_proxies = {value}\n"), &[], &Flags::default()).unwrap_err();
        assert_eq!((wrong.key.as_str(), wrong.origin.as_str()), ("trusted_proxies", "test.toml, line 1"));
        assert!(wrong.message.contains(said), "{}", wrong.message);
    }
}

#[test]
fn every_key_is_read() {
    let settings = read(GOOD, &[], &Flags::default()).unwrap();
    assert_eq!(settings.listen, "127.0.0.1:9000");
    assert_eq!(settings.public_urls, ["https://sms.example.com", "http://localhost:9000"]);
    assert_eq!(settings.currency, "CHF");
    assert_eq!(settings.time_zone.iana_name(), Some("Europe/Zurich"));
    assert_eq!(settings.default_country.as_str(), "CH");
    assert_eq!((settings.depth_max, settings.api.connections_max), (5, 100));
    let kinds: Vec<_> =
        settings.carriers.iter().map(|c| (c.name.as_str(), c.kind.as_str(), c.message_ids)).collect();
    assert_eq!(kinds, [("alpha", "smpp", IdSpelling::HexThenDecimal), ("beta", "http", IdSpelling::AsIs)]);
    let Kind::Smpp(smpp) = &settings.carriers[0].kind else { panic!("alpha is reached by SMPP") };
    assert_eq!((smpp.sessions, smpp.window, smpp.rate), (2, 64, 0));
    assert_eq!(settings.routes.len(), 2);
    assert_eq!(settings.routes[0].countries.len(), 2);
}

#[test]
fn without_a_word_there_is_sqlite_a_simulator_and_a_route() {
    let settings = read("", &[], &Flags::default()).unwrap();
    assert_eq!(settings.listen, LISTEN);
    assert_eq!(settings.database, Address::Sqlite("branchline-data/branchline.db".into()));
    assert_eq!(settings.carriers[0].kind.as_str(), "simulator");
    assert_eq!(settings.routes, [Route { carrier: "simulator".into(), countries: vec![], priority: 1 }]);
}

#[test]
fn flags_count_above_the_environment_and_that_above_the_file() {
    let environment =
        [("BRANCHLINE_LISTEN", "0.0.0.0:1"), ("BRANCHLINE_DEPTH_MAX", "7"), ("OTHER_LISTEN", "x")];
    let flags = Flags { listen: Some("0.0.0.0:2".into()), data: Some("/tmp/d".into()), ..Flags::default() };
    let settings = read("listen = \"0.0.0.0:3\"\ncurrency = \"USD\"", &environment, &flags).unwrap();
    assert_eq!((settings.listen.as_str(), settings.depth_max), ("0.0.0.0:2", 7));
    assert_eq!(
        (settings.currency.as_str(), settings.database_shown().as_str()),
        ("USD", "sqlite:/tmp/d/branchline.db")
    );
    let carriers =
        [("BRANCHLINE_CARRIER", r#"[{ name = "x", kind = "simulator" }]"#), ("BRANCHLINE_PORT", "tcp://1")];
    assert_eq!(read("", &carriers, &Flags::default()).unwrap().carriers[0].name, "x");
}

#[test]
fn no_secret_is_shown() {
    let shown = format!("{:?}", read(GOOD, &[], &Flags::default()).unwrap());
    assert!(!shown.contains("hunter") && !shown.contains("secret"), "{shown}");
    assert!(shown.contains("postgres://branchline:***@db.example.com/sms"), "{shown}");
    assert_eq!(
        without_password("postgres://h/n?user=a&password=b&x=c"),
        "postgres://h/n?user=a&password=***&x=c"
    );
}

#[test]
fn a_mistake_is_named_with_its_line_and_what_was_perhaps_meant() {
    #[rustfmt::skip]
    let cases = [
        // in the file, once          in its place                     said of it
        ("listen =",                  "listne =",                      "test.toml, line 1: 'listne' is not a key of the top level; did you mean 'listen'?"),
        ("password =",                "pasword =",                     "test.toml, line 18: 'pasword' is not a key of [[carrier]]; did you mean 'password'?"),
        ("priority = 2",              "currency = \"EUR\"",            "test.toml, line 35: 'currency' is not a key of [[route]] but of the top level; write it above the first line in brackets"),
        ("sessions = 2",              "sessions = \"two\"",            "test.toml, line 19: 'sessions': invalid type: string \"two\", expected a whole number"),
        ("sessions = 2",              "sessions = 0",                  "test.toml, line 19: 'sessions': 0 is out of range; use 1 to 64"),
        ("window = 64",               "window = 64 64",                "test.toml, line 20: 'window': "),
        ("\"127.0.0.1:9000\"",        "\"9000\"",                      "test.toml, line 1: 'listen': '9000' has no port; write it as host:port, such as 127.0.0.1:8077"),
        ("smsc.example.com:2775",     "smsc.example.com:99999",        "test.toml, line 16: 'address': 'smsc.example.com:99999' has a port that is no number from 1 to 65535"),
        ("https://sms.example.com/",  "sms.example.com",               "test.toml, line 2: 'public_url': 'sms.example.com' is not an address of the web; write it as https://"),
        ("postgres://",               "mysql://",                      "test.toml, line 3: 'database': a database is written sqlite:PATH or postgres://"),
        ("\"chf\"",                   "\"CHX\"",                       "test.toml, line 4: 'currency': 'CHX' is not a currency of ISO 4217; write its three letters, such as EUR"),
        ("Europe/Zurich",             "Europe/Zürich",                 "test.toml, line 5: 'time_zone': 'Europe/Zürich' is not a known time zone; did you mean 'Europe/Zurich'?"),
        ("\"ch\"",                    "\"UK\"",                        "test.toml, line 6: 'default_country': 'UK' is not a country; did you mean 'GB'?"),
        ("\"ch\"",                    "\"Switzerland\"",               "test.toml, line 6: 'default_country': 'Switzerland' is not a country; did you mean 'CH'?"),
        ("\"Alpen\"",                 "\"Alpenländer\"",               "test.toml, line 7: 'default_sender': the sender 'Alpenländer' has the character 'ä'"),
        ("depth_max = 5",             "depth_max = 0",                 "test.toml, line 8: 'depth_max': 0 is out of range; use 1 to 32"),
        ("kind = \"smpp\"",           "kind = \"smp\"",                "test.toml, line 15: 'kind': 'smp' is not a kind of carrier; did you mean 'smpp'?"),
        ("kind = \"smpp\"",           "kind = \"simulator\"",          "test.toml, line 16: 'address': means nothing to a carrier of kind simulator"),
        ("address = ",                "#",                             "test.toml, line 13: 'carrier': 'alpha' has no address; a carrier of kind smpp needs one"),
        ("system_id = \"id\"",        "system_id = \"sixteen-letters!\"", "test.toml, line 17: 'system_id': has 16 octets; SMPP takes at most 15"),
        ("hex-then-decimal",          "hex",                           "test.toml, line 21: 'message_ids': 'hex' is not a spelling; use auto, as-is, hex-then-decimal or decimal-then-hex"),
        ("name = \"beta\"",           "name = \"alpha\"",              "test.toml, line 24: 'name': there are two carriers 'alpha'; give each its own name"),
        ("carrier = \"beta\"",        "carrier = \"bata\"",            "test.toml, line 34: 'carrier': there is no carrier 'bata'; did you mean 'beta'?"),
        ("carrier = \"beta\"",        "carrier = \"gamma\"",           "test.toml, line 34: 'carrier': there is no carrier 'gamma'; define it with [[carrier]]"),
        ("carrier = \"beta\"",        "#",                             "test.toml, line 33: 'route': names no carrier; add carrier = \"NAME\""),
        ("[\"CH\", \"de\"]",          "[]",                            "test.toml, line 31: 'countries': names no country; leave the key out when the route serves all"),
        ("\"de\"]",                   "\"DD\"]",                       "test.toml, line 31: 'countries': 'DD' is not a country; write its two letters of ISO 3166, such as DE"),
    ];
    for (right, wrong, said) in cases {
        assert!(GOOD.contains(right), "{right}");
        let problem = read(&GOOD.replacen(right, wrong, 1), &[], &Flags::default()).unwrap_err().to_string();
        assert!(problem.starts_with(said), "{wrong}\n  said: {problem}\nwanted: {said}");
    }
}

#[test]
fn a_mistake_in_the_environment_is_named_by_its_variable() {
    #[rustfmt::skip]
    let cases = [
        ("BRANCHLINE_DEPTH_MAX", "many",                                     "BRANCHLINE_DEPTH_MAX: 'depth_max': invalid type: string \"many\", expected a whole number"),
        ("BRANCHLINE_LISTEN",    "8077",                                     "BRANCHLINE_LISTEN: 'listen': '8077' has no port; write it as host:port"),
        ("BRANCHLINE_CARRIER",   "[{name = \"x\", kind = \"http\", ulr = 1}]", "BRANCHLINE_CARRIER: 'ulr' is not a key of carrier; did you mean 'url'?"),
        ("BRANCHLINE_LISTN",     "0.0.0.0:1",                                "the environment: 'BRANCHLINE_LISTN' is not a setting; did you mean 'BRANCHLINE_LISTEN'?"),
        ("BRANCHLINE_CURRENCY",  "EURO",                                     "BRANCHLINE_CURRENCY: 'currency': 'EURO' is not a currency"),
    ];
    for (variable, value, said) in cases {
        let problem = read("", &[(variable, value)], &Flags::default()).unwrap_err().to_string();
        assert!(problem.starts_with(said), "{variable}\n  said: {problem}\nwanted: {said}");
    }
}

#[test]
fn a_file_that_is_not_there_is_said_to_be_missing() {
    let flags = Flags { config: Some("/nowhere/branchline.toml".into()), ..Flags::default() };
    let problem = Settings::read(&flags, []).unwrap_err();
    assert!(
        problem.to_string().starts_with("--config: the file /nowhere/branchline.toml cannot be read"),
        "{problem}"
    );
}

#[test]
fn the_example_file_can_be_used_as_it_is_and_with_all_of_it_switched_on() {
    let example = include_str!("../../../../branchline.example.toml");
    read(example, &[], &Flags::default()).unwrap();
    // What is commented out is settings, too: a line that reads `# key = value` or `# [table]`.
    let switched_on = |line: &str| match line.strip_prefix("# ") {
        Some(rest)
            if rest.starts_with('[') || rest.split_once(" = ").is_some_and(|(key, _)| !key.contains(' ')) =>
        {
            rest.to_owned()
        }
        _ => line.to_owned(),
    };
    let all: Vec<String> = example.lines().map(switched_on).collect();
    // A key that stands in an example must not be anybody's.
    let all = all.join("\n").replace("43 characters, as in secrets.key", &gateway::seal::Key::new().words());
    let settings = read(&all, &[], &Flags::default()).unwrap();
    assert_eq!(settings.carriers.len(), 3);
    assert_eq!(settings.routes.len(), 2);
    let mail = settings.mail.unwrap();
    assert_eq!((mail.address().as_str(), mail.tls), ("smtp.example.com:587", Tls::StartTls));
    let usual = api::Options::default();
    assert_eq!(
        (settings.api.connections_max, settings.api.body_max),
        (usual.connections_max, usual.body_max)
    );
}

const MAIL: &str = r#"public_url = "https://sms.example.com/"
[mail]
host = "smtp.example.com"
port = 2525
tls = "tls"
user = "branchline"
password = "hunter4"
from = "Branchline <sms@example.com>"
reply_to = "help@example.com"
"#;

#[test]
fn a_mail_server_is_read() {
    let settings = read(MAIL, &[], &Flags::default()).unwrap();
    assert!(!format!("{settings:?}").contains("hunter"), "{settings:?}");
    let mail = settings.mail.unwrap();
    assert_eq!((mail.address().as_str(), mail.tls), ("smtp.example.com:2525", Tls::Implicit));
    assert_eq!(mail.login, Some(("branchline".to_owned(), "hunter4".to_owned())));
    assert_eq!(
        (mail.from.to_string().as_str(), mail.hello.as_str()),
        ("Branchline <sms@example.com>", "sms.example.com")
    );
    assert_eq!(mail.reply_to.unwrap().to_string(), "help@example.com");
    let variable = [("BRANCHLINE_MAIL", r#"{ host = "localhost", tls = "none", from = "a@b.example" }"#)];
    let mail = read("", &variable, &Flags::default()).unwrap().mail.unwrap();
    assert_eq!((mail.address().as_str(), mail.hello.as_str()), ("localhost:25", "b.example"));
    assert!(read("", &[], &Flags::default()).unwrap().mail.is_none());
}

#[test]
fn a_mistake_about_the_mail_server_is_named() {
    #[rustfmt::skip]
    let cases = [
        ("host =",                        "hots =",                       "test.toml, line 3: 'hots' is not a key of [mail]; did you mean 'host'?"),
        ("host = \"smtp.example.com\"",   "",                             "test.toml, line 2: 'mail': names no host; add host = \"smtp.example.com\""),
        ("smtp.example.com",              "smtp.example.com:587",         "test.toml, line 3: 'host': 'smtp.example.com:587' has a port; write that as port = 587"),
        ("smtp.example.com",              "smtp://example.com",           "test.toml, line 3: 'host': 'smtp://example.com' is an address; write the server's name alone"),
        ("2525",                          "99999",                        "test.toml, line 4: 'port': 99999 is out of range; use 1 to 65535"),
        ("\"tls\"",                       "\"start-tls\"",                "test.toml, line 5: 'tls': 'start-tls' is not a way to encrypt; did you mean 'starttls'?"),
        ("\"tls\"",                       "\"none\"",                     "test.toml, line 7: 'password': would travel to smtp.example.com in clear; use tls ="),
        ("user = \"branchline\"",         "",                             "test.toml, line 7: 'password': has no user beside it; add user ="),
        ("password = \"hunter4\"",        "",                             "test.toml, line 6: 'user': has no password beside it; add password ="),
        ("from =",                        "#",                            "test.toml, line 2: 'mail': names no from; add from = \"Branchline <sms@example.com>\""),
        ("Branchline <sms@example.com>",  "Branchline",                   "test.toml, line 8: 'from': 'Branchline' is not a mail address; write it as sms@example.com or"),
        ("help@example.com",              "help@",                        "test.toml, line 9: 'reply_to': 'help@' is not a mail address"),
        ("port = 2525",                   "authority = \"/nowhere.pem\"", "test.toml, line 4: 'authority': the file /nowhere.pem cannot be read"),
    ];
    for (right, wrong, said) in cases {
        assert!(MAIL.contains(right), "{right}");
        let problem = read(&MAIL.replacen(right, wrong, 1), &[], &Flags::default()).unwrap_err().to_string();
        assert!(problem.starts_with(said), "{wrong}\n  said: {problem}\nwanted: {said}");
    }
}
