//! The built program as others use it: with arguments, on a folder of its own, read by what it says
//! and how it ends.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A folder to run the program in.
pub struct Folder(tempfile::TempDir);

/// What the program said and how it ended.
#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// The object on stdout of a command that went well.
    pub fn object(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        assert_eq!(self.err, "", "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// The code and the field of a refusal, and what is said of it.
    pub fn refusal(&self) -> (String, String, String) {
        assert_eq!(self.out, "", "{self:?}");
        let object: Value = serde_json::from_str(&self.err).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        let text = |name: &str| object[name].as_str().unwrap_or_default().to_owned();
        (text("code"), text("field"), text("error"))
    }
}

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn file(&self, name: &str, text: &str) -> String {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name).display().to_string()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.command_through(&[], args)
    }

    /// The program run by another one, which is given first.
    pub fn command_through(&self, by: &[&str], args: &[&str]) -> Command {
        let words = [by, &[env!("CARGO_BIN_EXE_branchline")], args].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(self.0.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("BRANCHLINE_")) {
            command.env_remove(name);
        }
        command
    }

    /// Runs a command for a person.
    pub fn words(&self, args: &[&str]) -> Said {
        said(self.command(args).output().unwrap())
    }

    /// Runs a command for a program.
    pub fn json(&self, args: &[&str]) -> Said {
        said(self.command(args).arg("--json").output().unwrap())
    }

    /// Creates an account and gives its number.
    pub fn account(&self, mailbox: &str, more: &[&str]) -> String {
        let mail = format!("{mailbox}@example.com");
        let args = [&["account", "create", "--company", mailbox, "--email", &mail], more].concat();
        self.json(&args).object()["id"].to_string()
    }

    /// What an account holds.
    pub fn balance(&self, account: &str) -> String {
        self.json(&["account", "show", account]).object()["balance"].as_str().unwrap().to_owned()
    }

    /// Runs a command for a program that may do no more than its files allow, even as root.
    pub fn json_powerless(&self, args: &[&str]) -> Said {
        let root = self.path("branchline-data/probe");
        let is_root = std::fs::write(&root, "").is_ok() && std::fs::remove_file(&root).is_ok();
        let powerless = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
        let by = if is_root { &powerless[..] } else { &[] };
        said(self.command_through(by, args).arg("--json").output().unwrap())
    }

    /// Starts a server on a port of its own and waits until it answers.
    pub fn serve(&self, args: &[&str]) -> Server {
        Server::start(self.command(args))
    }
}

fn said(output: std::process::Output) -> Said {
    Said {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A server that runs until it is stopped or dropped.
pub struct Server {
    child: Option<Child>,
    pub address: String,
    /// The link that the first person comes in by, when it was started with `--json` and nobody can sign
    /// in yet.
    pub set_up: String,
}

impl Server {
    /// Starts it and waits until it answers.
    pub fn start(mut command: Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (address, set_up) = loop {
            match lines.next() {
                Some(Ok(line)) => {
                    if let Some((_, address)) = line.split_once("listening on ") {
                        break (address.split_whitespace().next().unwrap().to_owned(), String::new());
                    }
                    if let Ok(said) = serde_json::from_str::<Value>(&line) {
                        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
                        break (text("listening"), text("set_up"));
                    }
                }
                _ => panic!("the server ended: {:?}", said(child.wait_with_output().unwrap())),
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Server { child: Some(child), address, set_up }
    }

    /// Lets none of its files grow beyond so many octets from now on, as on a disk that is full.
    pub fn limit_files(&self, octets: &str) {
        let pid = self.child.as_ref().unwrap().id().to_string();
        let limit = format!("--fsize={octets}:unlimited");
        assert!(Command::new("prlimit").args(["--pid", &pid, &limit]).status().unwrap().success());
    }

    /// Ends it in order and tells how long that took.
    pub fn stop(mut self) -> Duration {
        let child = self.child.take().unwrap();
        let began = Instant::now();
        assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
        let said = said(child.wait_with_output().unwrap());
        assert_eq!(said.code, 0, "{said:?}");
        began.elapsed()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
