//! The console in a real browser: Chromium, driven by playwright-core, with axe-core looking at every
//! page. What is driven stands in `browser/*.mjs`; here a server of the built program is started, with
//! a provider of sign-ins in its settings that the scripts play.
//!
//! `./test` installs Chromium and the two packages, and says where they are by `CHROMIUM` and
//! `NODE_MODULES`. Without them the tests fail: they are not silently skipped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use program::Folder;
use serde_json::Value;

/// A server, and the link by which the first person comes in.
struct Console {
    folder: Folder,
    child: Child,
    /// Where its console is: passkeys want a name, so it goes by that of the machine.
    address: String,
    set_up: String,
    /// Where its settings say that the provider of sign-ins is.
    provider: String,
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Console {
    fn start() -> Console {
        // Somebody else may take a port between our looking and its use.
        (0..5).find_map(|_| Console::try_start()).expect("a server on a free port")
    }

    fn try_start() -> Option<Console> {
        let (own, provider) = (free_port(), free_port());
        let address = format!("http://localhost:{own}");
        let provider = format!("http://127.0.0.1:{provider}");
        let folder = Folder::new();
        folder.file(
            "branchline.toml",
            &format!(
                "listen = \"127.0.0.1:{own}\"\npublic_url = \"{address}\"\ntime_zone = \"Europe/Berlin\"\n\
                 [sign_in]\nissuer = \"{provider}\"\nclient_id = \"branchline\"\nclient_secret = \"a quiet word\"\n\
                 label = \"Nordwind\"\n"
            ),
        );
        let mut child = folder
            .command(&["serve", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let Some(Ok(line)) = lines.next() else {
            let _ = child.wait();
            return None;
        };
        let said: Value = serde_json::from_str(&line).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let set_up = said["set_up"].as_str().unwrap().to_owned();
        Some(Console { folder, child, address, set_up, provider })
    }

    /// Runs a script of `browser/` and wants it to end well.
    fn drive(&self, script: &str, more: &[(&str, &str)]) {
        let needed = |name: &str| {
            std::env::var(name)
                .unwrap_or_else(|_| panic!("{name} is not set; run ./test, which installs what it names"))
        };
        let path = format!("{}/tests/browser/{script}", env!("CARGO_MANIFEST_DIR"));
        let output = Command::new("node")
            .arg(&path)
            .env("CHROMIUM", needed("CHROMIUM"))
            .env("NODE_MODULES", needed("NODE_MODULES"))
            .env("ADDRESS", &self.address)
            .env("SET_UP", &self.set_up)
            .env("PROVIDER", &self.provider)
            .env("PROGRAM", env!("CARGO_BIN_EXE_branchline"))
            .env("FOLDER", self.folder.path(""))
            .envs(more.iter().copied())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{out}");
        assert!(output.status.success(), "{script}:\n{out}\n{err}");
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn every_page_is_sound_in_both_themes_and_widths() {
    Console::start().drive("pages.mjs", &[]);
}

#[test]
fn people_get_where_they_want_on_a_wide_screen() {
    Console::start().drive("journeys.mjs", &[("WIDTH", "wide")]);
}

#[test]
fn people_get_where_they_want_on_a_phone() {
    Console::start().drive("journeys.mjs", &[("WIDTH", "narrow")]);
}

#[test]
fn what_is_written_is_never_run() {
    Console::start().drive("hostile.mjs", &[]);
}
