//! The console in a real browser: Chromium, driven by playwright-core, with axe-core looking at every
//! page. What is driven stands in `browser/*.mjs`; here a server of the built program is started on
//! books that hold hostile words in every free text.
//!
//! `./test` installs Chromium and the two packages, and says where they are by `CHROMIUM` and
//! `NODE_MODULES`. Without them the tests fail: they are not silently skipped.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod program;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use program::Folder;
use serde_json::Value;

/// Words that would run if they were ever drawn as they are, or break a page that does not expect them.
const HOSTILE: &[&str] = &[
    "<script>window.struck=1</script>",
    "\"><img src=x onerror=window.struck=1>",
    "'-window.struck-'",
    "</title><svg onload=window.struck=1>",
    "{{7*7}}${7*7}<%= 7*7 %>",
    "javascript:window.struck=1",
    "\u{202e}gnol si eman siht\u{202c}",
    "株式会社とても長い名前の会社でありますので折り返しが必要です",
];

/// A server, and the link by which the first person comes in.
struct Console {
    folder: Folder,
    child: Child,
    address: String,
    set_up: String,
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Console {
    fn start() -> Console {
        let folder = Folder::new();
        let mut child = folder
            .command(&["serve", "--listen", "127.0.0.1:0", "--json"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        std::thread::spawn(move || lines.for_each(drop));
        let text = |name: &str| said[name].as_str().unwrap().to_owned();
        Console { address: text("listening"), set_up: text("set_up"), folder, child }
    }

    /// Runs a script of `browser/` and wants it to end well.
    fn drive(&self, script: &str) {
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
            .env("PROGRAM", env!("CARGO_BIN_EXE_branchline"))
            .env("BOOKS", self.folder.path("branchline-data"))
            .env("HOSTILE", serde_json::to_string(HOSTILE).unwrap())
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        println!("{out}");
        assert!(output.status.success(), "{script}:\n{out}\n{err}");
    }
}

#[test]
fn every_page_is_sound_in_both_themes_and_widths() {
    Console::start().drive("pages.mjs");
}
