//! How a mail is laid out: the same sentences as text and as HTML.

use askama::Template;

use super::words::{ISOLATE, bare};

/// How wide the lines of a text are.
const WIDTH: usize = 72;

/// Where a mail leads.
#[derive(Debug)]
pub(super) struct Button {
    pub label: String,
    pub url: String,
}

/// A mail's sentences. They may hold the marks that [`ISOLATE`] names.
#[derive(Debug, Template)]
#[template(path = "mail.html")]
pub(super) struct Letter {
    pub language: &'static str,
    pub subject: String,
    /// What lists of mails show after the subject.
    pub preview: String,
    pub heading: String,
    pub paragraphs: Vec<String>,
    /// Labels and values.
    pub facts: Vec<(String, String)>,
    pub button: Button,
    pub notes: Vec<String>,
    /// The sentence above the plain link.
    pub link_help: String,
    /// Why the reader gets it.
    pub why: String,
    /// Who sent it.
    pub from: String,
}

impl Letter {
    /// As HTML.
    pub fn html(&self) -> String {
        // Writing into a string does not fail.
        self.render().unwrap_or_default()
    }

    /// As text.
    pub fn plain(&self) -> String {
        let mut text = format!("{}\n\n", wrapped(&self.heading));
        for paragraph in &self.paragraphs {
            text.push_str(&format!("{}\n\n", wrapped(paragraph)));
        }
        for (label, value) in &self.facts {
            text.push_str(&format!("{}\n", wrapped(&format!("{label}: {value}"))));
        }
        if !self.facts.is_empty() {
            text.push('\n');
        }
        text.push_str(&format!("{}:\n{}\n\n", bare(&self.button.label), self.button.url));
        for note in &self.notes {
            text.push_str(&format!("{}\n\n", wrapped(note)));
        }
        // The line that mail programs know the end of a mail by.
        text.push_str(&format!("-- \n{}\n{}\n", wrapped(&self.why), wrapped(&self.from)));
        text
    }

    /// A sentence as HTML: escaped, with every value in an element of its own direction.
    fn rich(&self, text: &str) -> String {
        let mut html = String::with_capacity(text.len() + 32);
        for c in text.chars() {
            match c {
                '<' => html.push_str("&lt;"),
                '>' => html.push_str("&gt;"),
                '&' => html.push_str("&amp;"),
                '"' => html.push_str("&quot;"),
                '\'' => html.push_str("&#39;"),
                c if c == ISOLATE[0] => html.push_str("<bdi>"),
                c if c == ISOLATE[1] => html.push_str("</bdi>"),
                c => html.push(c),
            }
        }
        html
    }
}

/// Broken into lines; a word that is longer than one stays whole, as it may be a link.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut length = 0;
    // A space that is not to be broken at joins an amount and its currency.
    for word in bare(text).split([' ', '\n']).filter(|word| !word.is_empty()) {
        let width = word.chars().count();
        if length > 0 && length + 1 + width > WIDTH {
            lines.push('\n');
            length = 0;
        } else if length > 0 {
            lines.push(' ');
            length += 1;
        }
        lines.push_str(word);
        length += width;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        let text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
        let lines: Vec<String> = wrapped(text).lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|line| line.len() <= WIDTH), "{lines:?}");
        let link = format!("https://example.com/{}", "x".repeat(100));
        assert_eq!(wrapped(&link), link);
    }
}
