//! The command line, from outside: what each command answers, to people and to programs, and what it
//! says of what it refuses.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

use program::Folder;
use serde_json::json;

#[test]
fn accounts_are_created_shown_and_listed_as_a_tree() {
    let folder = Folder::new();
    let create =
        ["account", "create", "--company", "Nordlicht", "--email", "Jana@Example.com", "--name", "Jana P."];
    let created =
        folder.json(&[&create[..], &["--credits", "25.00", "--credit-line", "5"]].concat()).object();
    assert_eq!(created["id"], json!(1_900_001));
    assert_eq!(
        (&created["balance"], &created["state"], &created["parent"]),
        (&json!("25.00"), &json!("active"), &json!(null))
    );
    let child = folder.account("cafe", &["--parent", "1900001", "--sender", "Cafe"]);
    assert_eq!(child, "1900002");

    let shown = folder.json(&["account", "show", "1900001"]).object();
    assert_eq!(
        (&shown["owner"], &shown["credit_line"], &shown["subaccounts"]),
        (&json!("Jana P."), &json!("5.00"), &json!([1_900_002]))
    );
    let listed = folder.json(&["account", "list"]).object();
    assert_eq!(listed["accounts"].as_array().unwrap().len(), 2);
    assert_eq!(listed["accounts"][1]["depth"], json!(2));
    let table = folder.words(&["account", "list"]);
    let lines: Vec<&str> = table.out.lines().collect();
    assert_eq!(lines[0], "ID       Account    State   Balance  E-mail");
    assert_eq!(lines[1], "1900001  Nordlicht  active    25.00  Jana@Example.com");
    assert_eq!(lines[2], "1900002    cafe     active     0.00  cafe@example.com");
    assert_eq!(table.err, "");
}

#[test]
fn an_account_is_suspended_activated_and_closed() {
    let folder = Folder::new();
    let main = folder.account("main", &["--credits", "10"]);
    let child = folder.account("child", &["--parent", &main]);
    let suspended = folder.json(&["account", "suspend", &main, "--reason", "unpaid"]).object();
    assert_eq!(
        (&suspended["state"], &suspended["state_reason"]),
        (&json!("suspended"), &json!("operator: unpaid"))
    );
    let listed = folder.json(&["account", "list"]).object();
    assert_eq!(listed["accounts"][1]["state"], json!("active"));
    assert_eq!(listed["accounts"][1]["effective_state"], json!("suspended"));
    assert!(folder.words(&["account", "list"]).out.contains("suspended above"));
    let refused =
        folder.json(&["account", "create", "--company", "x", "--email", "x@example.com", "--parent", &child]);
    assert_eq!((refused.code, refused.refusal().0.as_str()), (1, "not_active"));
    assert_eq!(folder.json(&["account", "activate", &main]).object()["state"], json!("active"));
    // An account with others below it stays open, and one that is closed gives its address free.
    assert_eq!(folder.json(&["account", "close", &main, "--now"]).refusal().0, "open_subaccounts");
    assert_eq!(
        folder.json(&["account", "close", &child, "--now", "--reason", "moved"]).object()["state"],
        json!("closed")
    );
    folder.account("child", &["--parent", &main]);
    assert_eq!(folder.json(&["account", "close", &main]).refusal().0, "open_subaccounts");
}

/// A command, more of it, how it ends, and the code, the field and the beginning of what is said.
type Case<'a> = (&'a [&'a str], &'a [&'a str], i32, &'a str, &'a str, &'a str);

#[test]
fn a_refusal_names_the_field_the_problem_and_the_remedy() {
    let folder = Folder::new();
    folder.account("main", &["--credits", "10"]);
    folder.account("child", &["--parent", "1900001"]);
    let transfer = ["credits", "transfer", "--from", "1900001", "--to", "1900002", "--amount"];
    let grant = ["credits", "grant", "--account", "1900001", "--reason", "r", "--amount"];
    let create = ["account", "create", "--company", "x", "--email"];
    #[rustfmt::skip]
    let cases: &[Case<'_>] = &[
        (&create,   &["MAIN@example.com"],                    1, "email_taken",          "email",    "the e-mail address MAIN@example.com belongs to an account already; use another"),
        (&create,   &["nobody"],                              1, "bad_email",            "email",    "'nobody' is not a valid e-mail address; write it as name@example.com"),
        (&create,   &["a@example.com", "--parent", "7"],      1, "not_found",            "parent",   "there is no account 7 to create one below"),
        (&create,   &["a@example.com", "--credits", "-1"],    1, "bad_amount",           "credits",  "the credits are -1.00; grant nothing or more"),
        (&create,   &["a@example.com", "--credit-line=-1"],   1, "bad_amount",           "credit_line", "the credit line is -1.00; it must not be below zero"),
        (&transfer, &["-5"],                                  1, "bad_amount",           "amount",   "the amount is -5.00; it must be above zero"),
        (&transfer, &["0"],                                   1, "bad_amount",           "amount",   "the amount is 0.00; it must be above zero"),
        (&transfer, &["10.01"],                               1, "insufficient_credits", "amount",   "account 1900001 holds 10.00 and cannot give 10.01"),
        (&transfer, &["ten"],                                 2, "usage",                "amount",   "invalid value 'ten' for '--amount <AMOUNT>': 'ten' is not an amount; write it with a dot, such as 25.00"),
        (&transfer, &["1,50"],                                2, "usage",                "amount",   "invalid value '1,50' for '--amount <AMOUNT>': '1,50' is not an amount"),
        (&grant,    &["-5"],                                  1, "bad_amount",           "amount",   "the amount is -5.00; it must be above zero"),
        (&["credits", "transfer", "--from", "1900001", "--amount", "1", "--to"], &["7"], 1, "not_found", "to", "there is no account 7; 'branchline account list'"),
        (&["credits", "grant", "--account", "1900001", "--amount", "1", "--reason"], &[" "], 1, "no_reason", "reason", "the reason is missing"),
        (&["credits", "auto", "--account", "1900001", "--threshold", "1", "--amount"], &["1"], 1, "main_account", "account", "account 1900001 is a main account"),
        (&["key", "create", "--account", "1900001", "--scopes"], &["sms,balence"], 1, "bad_scope", "scopes", "'balence' is not a scope; did you mean 'balance'?"),
        (&["key", "create", "--account"], &["x"],             2, "usage",                "account",  "invalid value 'x' for '--account <ID>': an account is named by its number, such as 1900001"),
        (&["key", "revoke"], &["99"],                         1, "not_found",            "KEY",      "there is no key 99"),
        (&["account", "show"], &["99"],                       1, "not_found",            "account",  "there is no account 99"),
        (&["account", "suspend", "1900001"], &[],             2, "usage",                "reason",   "the following required arguments were not provided"),
        (&["prices", "export"], &["--list", "gold"],          1, "not_found",            "list",     "there is no price list 'gold'"),
        (&["prices", "import"], &["/nowhere.csv"],            1, "unreadable",           "FILE",     "/nowhere.csv cannot be read"),
        (&["acount", "list"], &[],                            2, "usage",                "",         "unrecognized subcommand 'acount'"),
    ];
    for (command, more, code, name, field, text) in cases {
        let args = [*command, *more].concat();
        let refused = folder.json(&args);
        assert_eq!(refused.code, *code, "{args:?}: {refused:?}");
        let (said_name, said_field, said_text) = refused.refusal();
        assert_eq!((said_name.as_str(), said_field.as_str()), (*name, *field), "{args:?}: {said_text}");
        assert!(said_text.starts_with(text), "{args:?}\n  said: {said_text}\nwanted: {text}");
        let words = folder.words(&args);
        assert_eq!((words.code, words.out.as_str()), (*code, ""), "{args:?}");
    }
    assert_eq!(
        folder.words(&[&transfer[..], &["-5"]].concat()).err,
        "branchline: --amount: the amount is -5.00; it must be above zero\n"
    );
    // Nothing of it was done.
    assert_eq!((folder.balance("1900001"), folder.balance("1900002")), ("10.00".into(), "0.00".into()));
    assert_eq!(folder.json(&["check"]).object()["accounts"], json!(2));
}

#[test]
fn credits_move_once_for_each_key() {
    let folder = Folder::new();
    let main = folder.account("main", &[]);
    let child = folder.account("child", &["--parent", &main]);
    let grant = [
        "credits",
        "grant",
        "--account",
        &main,
        "--amount",
        "10",
        "--reason",
        "paid",
        "--idempotency-key",
        "k1",
    ];
    let first = folder.json(&grant).object();
    assert!(first["id"].is_i64());
    let again = folder.json(&grant).object();
    assert_eq!((&again["id"], &again["repeated"]), (&first["id"], &json!(true)));
    assert_eq!(folder.balance(&main), "10.00");
    let other = [
        "credits",
        "grant",
        "--account",
        &main,
        "--amount",
        "11",
        "--reason",
        "paid",
        "--idempotency-key",
        "k1",
    ];
    assert_eq!(folder.json(&other).refusal().0, "key_reused");
    let transfer =
        ["credits", "transfer", "--from", &main, "--to", &child, "--amount", "4.5", "--reference", "for May"];
    let moved = folder.json(&transfer).object();
    assert_eq!(moved["balances"][1]["balance"], json!("4.50"));
    folder.json(&["credits", "transfer", "--from", &child, "--to", &main, "--amount", "0.5"]).object();
    assert_eq!((folder.balance(&main), folder.balance(&child)), ("6.00".into(), "4.00".into()));
    let auto =
        ["credits", "auto", "--account", &child, "--threshold", "1", "--amount", "2", "--day-max", "4"];
    assert_eq!(folder.json(&auto).object()["active"], json!(true));
    assert_eq!(
        folder.json(&["credits", "auto", "--account", &child, "--off"]).object()["active"],
        json!(false)
    );
    assert_eq!(folder.json(&["check"]).object()["ok"], json!(true));
}

#[test]
fn a_key_is_shown_once_and_can_be_taken_back() {
    let folder = Folder::new();
    let main = folder.account("main", &[]);
    let create = [
        "key",
        "create",
        "--account",
        &main,
        "--label",
        "shop",
        "--scopes",
        "sms,journal",
        "--subaccount-access",
    ];
    let created = folder.json(&create).object();
    assert!(created["key"].as_str().unwrap().starts_with("bl_live_"));
    assert_eq!(created["scopes"], json!(["journal", "sms"]));
    // Unless it is asked for, a key opens the wire and nothing that administers.
    let usual = folder.json(&["key", "create", "--account", &main]).object();
    let usual_scopes = usual["scopes"].as_array().unwrap();
    assert!(usual_scopes.contains(&json!("sms")) && usual_scopes.contains(&json!("subaccounts")), "{usual}");
    assert!(usual_scopes.iter().all(|scope| !scope.as_str().unwrap().contains(':')), "{usual}");
    let all = folder.json(&["key", "create", "--account", &main, "--scopes", "all"]).object();
    assert!(all["scopes"].as_array().unwrap().contains(&json!("members:write")), "{all}");
    for key in [&usual, &all] {
        folder.json(&["key", "revoke", &key["id"].to_string()]).object();
    }
    let sandbox = folder.words(&["key", "create", "--account", &main, "--sandbox"]);
    assert!(sandbox.out.starts_with("bl_test_"), "{sandbox:?}");
    let listed = folder.json(&["key", "list", "--account", &main]).object();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2);
    assert!(!listed.to_string().contains(created["key"].as_str().unwrap()));
    let id = created["id"].to_string();
    assert!(folder.json(&["key", "revoke", &id]).object()["revoked_at"].is_string());
    assert_eq!(
        folder.json(&["key", "list", "--account", &main]).object()["keys"].as_array().unwrap().len(),
        1
    );
    let all = folder.json(&["key", "list", "--account", &main, "--all"]).object();
    assert_eq!(all["keys"].as_array().unwrap().len(), 4);
}

#[test]
fn prices_go_in_and_out_and_never_below_cost_unless_allowed() {
    let folder = Folder::new();
    let standard = folder.file("standard.csv", "country,price\nDE,0.075\nFR,0.05\n*,0.20\n");
    let imported = folder.json(&["prices", "import", &standard]).object();
    assert_eq!((&imported["list"], &imported["added"]), (&json!("standard"), &json!(3)));
    assert_eq!(folder.json(&["prices", "import", &standard]).object()["unchanged"], json!(3));
    let main = folder.account("main", &[]);
    let child = folder.account("child", &["--parent", &main]);
    let cheap = folder.file("cheap.csv", "country,price\nDE,0.07\n*,0.3\n");
    folder.json(&["prices", "import", &cheap, "--list", "cheap"]).object();
    let assign = ["prices", "assign", "--account", &child, "--list", "cheap"];
    let (code, field, text) = folder.json(&assign).refusal();
    assert_eq!((code.as_str(), field.as_str()), ("below_cost", "list"));
    assert!(text.contains("would sell sms to DE for 0.07") && text.contains("pays 0.075"), "{text}");
    assert!(text.ends_with("(--allow-below-cost)"), "{text}");
    folder.json(&[&assign[..], &["--allow-below-cost"]].concat()).object();
    folder.json(&["prices", "assign", "--account", &child, "--none"]).object();

    let wrong = folder.file("wrong.csv", "country,price\nDE,0.08\nXX,0.1\nAT,1e3\n");
    let (code, _, text) = folder.json(&["prices", "import", &wrong]).refusal();
    assert_eq!(code, "bad_rows");
    assert!(
        text.contains("line 3, country: 'XX' is not a country") && text.contains("line 4, price"),
        "{text}"
    );
    // Nothing of the file was taken.
    let exported = folder.words(&["prices", "export"]);
    let rows: Vec<&str> = exported.out.lines().collect();
    assert_eq!(rows[0], "product,country,network,price,effective_from,comment");
    assert!(rows.len() == 4 && rows.iter().any(|row| row.starts_with("sms,DE,,0.075,")), "{rows:?}");
    let copy = folder.file("copy.csv", &exported.out);
    assert_eq!(folder.json(&["prices", "import", &copy, "--list", "copy"]).object()["added"], json!(3));
    let lists = folder.json(&["prices", "list"]).object();
    assert_eq!(lists["lists"].as_array().unwrap().len(), 3);
    assert_eq!(
        folder.json(&["prices", "export", "--list", "copy"]).object()["prices"].as_array().unwrap().len(),
        3
    );
}

#[test]
fn a_typo_in_the_settings_is_named_with_its_key_and_line() {
    let folder = Folder::new();
    let settings = folder.file(
        "typo.toml",
        "listen = \"127.0.0.1:0\"\n\n[[carrier]]\nname = \"a\"\nkind = \"smpp\"\nadress = \"x:1\"\n",
    );
    let said = folder.words(&["serve", "--config", &settings]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.err,
        format!(
            "branchline: {settings}, line 6: 'adress' is not a key of [[carrier]]; did you mean 'address'?\n"
        )
    );
    let (code, field, _) = folder.json(&["account", "list", "--config", &settings]).refusal();
    assert_eq!((code.as_str(), field.as_str()), ("bad_configuration", "adress"));
    // The file in the folder is read without being named.
    folder.file("branchline.toml", "currency = \"EURO\"\n");
    let said = folder.words(&["account", "list"]);
    assert!(
        said.err.starts_with("branchline: branchline.toml, line 1: 'currency': 'EURO' is not a currency"),
        "{said:?}"
    );
}

#[test]
fn books_that_cannot_be_used_are_said_to_be_so() {
    let folder = Folder::new();
    let refusal = |args: &[&str]| {
        let said = folder.json(args);
        assert_eq!(said.code, 1, "{said:?}");
        said.refusal()
    };
    let (code, _, text) = refusal(&["account", "list"]);
    assert_eq!(code, "no_database");
    assert!(text.contains("branchline-data/branchline.db") && text.contains("--data"), "{text}");
    assert!(!folder.path("branchline-data").exists(), "a command that reads makes nothing");
    let not_books = folder.file("not.db", &"This is a letter to my aunt. ".repeat(200));
    let (code, _, text) = refusal(&["account", "list", "--database", &format!("sqlite:{not_books}")]);
    assert_eq!(code, "database_unknown");
    assert!(text.contains("is this file a Branchline database?"), "{text}");
    for command in ["serve", "demo"] {
        let (code, _, text) = refusal(&[command, "--data", "/proc/branchline", "--listen", "127.0.0.1:0"]);
        assert_eq!(code, "database_not_writable", "{text}");
        assert!(text.contains("/proc/branchline cannot be written"), "{text}");
    }
    let (code, _, text) =
        refusal(&["serve", "--database", "postgres://u:hunter2@127.0.0.1:1/x", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, "database_unreachable");
    assert!(text.contains("postgres://u:***@127.0.0.1:1/x") && !text.contains("hunter2"), "{text}");
}

#[test]
fn read_only_books_are_neither_served_nor_changed() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let main = folder.account("main", &["--credits", "10"]);
    let data = folder.path("branchline-data");
    let set = |mode: u32| {
        for file in std::fs::read_dir(&data).unwrap() {
            let file = file.unwrap().path();
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(mode & 0o666)).unwrap();
        }
        std::fs::set_permissions(&data, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(0o500);
    let grant = ["credits", "grant", "--account", &main, "--amount", "5", "--reason", "r"];
    for command in [&["serve", "--listen", "127.0.0.1:0"][..], &grant] {
        let said = folder.json_powerless(command);
        let (code, _, text) = said.refusal();
        assert_eq!((said.code, code.as_str()), (1, "database_not_writable"), "{command:?}: {text}");
        assert!(text.contains("cannot be written"), "{command:?}: {text}");
    }
    set(0o700);
    assert_eq!(folder.balance(&main), "10.00");
}

#[tokio::test]
async fn check_lists_what_is_broken_and_ends_with_1() {
    let folder = Folder::new();
    let main = folder.account("main", &["--credits", "10"]);
    let good = folder.json(&["check"]).object();
    assert_eq!((&good["ok"], &good["broken"], &good["transfers"]), (&json!(true), &json!([]), &json!(1)));
    let db = storage::Db::open(&storage::Address::Sqlite(folder.path("branchline-data/branchline.db")))
        .await
        .unwrap();
    let mut tx = db.begin().await.unwrap();
    let sql = "update ledger_accounts set balance = balance + 1 where account_id is not null and balance > 0";
    assert_eq!(tx.execute(sql, &[]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let said = folder.json(&["check"]);
    assert_eq!((said.code, said.err.as_str()), (1, ""));
    let object: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(object["ok"], json!(false));
    assert!(object["broken"].to_string().contains(&format!("wallet of {main}")), "{object}");
    let words = folder.words(&["check"]);
    assert_eq!(words.code, 1);
    assert!(words.out.contains("the books are broken") && words.err.is_empty(), "{words:?}");
}

#[test]
fn an_accounts_requests_can_be_demanded_signed_and_its_key_renewed() {
    let folder = Folder::new();
    let main = folder.account("main", &[]);
    let shown = folder.json(&["account", "show", &main]).object();
    assert_eq!(shown["signed_only"], json!(false));
    let key = shown["signing_key"].as_str().unwrap().to_owned();
    assert!(key.len() >= 32, "{key}");
    let set = folder.json(&["account", "set", &main, "--signed-only", "true", "--new-signing-key"]).object();
    assert_eq!(set["signed_only"], json!(true));
    assert_ne!(set["signing_key"], json!(key));
    assert!(!folder.words(&["account", "show", &main]).out.contains(&key), "it is a secret");
}
