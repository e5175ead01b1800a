//! The link of the first start, and `branchline login`, from outside.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use program::Folder;
use serde_json::Value;

/// What `serve` says first.
fn first_line(folder: &Folder, args: &[&str]) -> String {
    let args = [&["serve", "--listen", "127.0.0.1:0"], args].concat();
    let mut child = folder.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut said = lines.next().unwrap().unwrap();
    if !args.contains(&"--json") {
        said.push('\n');
        said.push_str(&lines.next().unwrap().unwrap());
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn as_long_as_nobody_can_sign_in_each_start_prints_a_new_link() {
    let folder = Folder::new();
    let mut links = Vec::new();
    for _ in 0..2 {
        let said: Value = serde_json::from_str(&first_line(&folder, &["--json"])).unwrap();
        let (listening, link) =
            (said["listening"].as_str().unwrap(), said["set_up"].as_str().unwrap().to_owned());
        let secret = link.strip_prefix(&format!("{listening}/set-up/")).unwrap();
        assert_eq!(secret.len(), 43, "{link}");
        links.push(link);
    }
    assert_ne!(links[0], links[1]);
    let words = first_line(&folder, &[]);
    assert!(words.starts_with("listening on http://127.0.0.1:"), "{words}");
    assert!(words.contains("\nnobody can sign in yet; begin at http://127.0.0.1:"), "{words}");
    // The secret is not in the books.
    let books = std::fs::read(folder.path("branchline-data/branchline.db")).unwrap();
    let secret = links[0].rsplit_once('/').unwrap().1.as_bytes();
    assert!(!books.windows(secret.len()).any(|window| window == secret));
}

#[test]
fn the_operator_is_told_who_can_sign_in_and_helps_nobody_who_cannot() {
    let folder = Folder::new();
    folder.account("main", &[]);
    assert_eq!(folder.json(&["login", "list"]).object()["logins"], serde_json::json!([]));
    assert!(folder.words(&["login", "list"]).out.contains("nobody can sign in yet"));
    for args in [["login", "link"], ["login", "operator"], ["login", "disable"], ["login", "enable"]] {
        let unknown = folder.json(&[&args[..], &["--email", "eva@example.com"]].concat());
        assert_eq!((unknown.code, unknown.refusal().0.as_str()), (1, "not_found"));
        let wrong = folder.json(&[&args[..], &["--email", "eva"]].concat());
        assert_eq!((wrong.code, wrong.refusal().0.as_str()), (2, "bad_email"));
    }
}

#[test]
fn the_key_of_secrets_is_made_once_is_its_owners_alone_and_must_fit() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    folder.serve(&serve).stop();
    let path = folder.path("branchline-data/secrets.key");
    let key = std::fs::read_to_string(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(key.trim().len(), 43);
    folder.serve(&serve).stop();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), key, "it is made once");
    let copy = folder.path("copy.db").display().to_string();
    let backup = folder.json(&["backup", &copy]).object();
    assert!(backup["secrets_key"].as_str().unwrap().ends_with("branchline-data/secrets.key"), "{backup}");

    // Without it the books are not served, and no new key is made in its place.
    std::fs::remove_file(&path).unwrap();
    let (code, field, text) = folder.json(&serve).refusal();
    assert_eq!((code.as_str(), field.as_str()), ("no_secrets_key", "secrets_key"));
    assert!(text.contains("branchline-data/secrets.key") && text.contains("lost-key"), "{text}");
    assert!(!path.exists());
    // What needs no secrets works all the same.
    folder.json(&["login", "list"]).object();
    std::fs::write(&path, "not a key").unwrap();
    assert_eq!(folder.json(&serve).refusal().0, "bad_secrets_key");
    std::fs::write(&path, "B".repeat(42) + "A").unwrap();
    assert_eq!(folder.json(&serve).refusal().0, "wrong_secrets_key");
    std::fs::remove_file(&path).unwrap();

    // The settings may say it, and are not repeated when they are wrong.
    let wrong = folder.file("wrong.toml", &format!("secrets_key = \"{}!\"\n", key.trim()));
    let (_, field, text) = folder.json(&["serve", "--config", &wrong]).refusal();
    assert_eq!(field, "secrets_key");
    assert!(!text.contains(&key[..20]) && text.contains("43 characters"), "{text}");
    let right = folder.file("right.toml", &format!("secrets_key = \"{}\"\n", key.trim()));
    folder.serve(&["serve", "--listen", "127.0.0.1:0", "--config", &right]).stop();
    assert!(!path.exists());

    // Lost for good: begun anew, but not beside a server that goes on with it.
    let server = folder.serve(&["serve", "--listen", "127.0.0.1:0", "--config", &right]);
    assert_eq!(folder.json(&["login", "lost-key"]).refusal().0, "already_running");
    server.stop();
    assert_eq!(folder.json(&["login", "lost-key"]).object()["forgotten"], true);
    assert_eq!(folder.json(&["login", "lost-key"]).object()["forgotten"], false);
    folder.serve(&serve).stop();
    assert_ne!(std::fs::read_to_string(&path).unwrap(), key);
}
