//! What a browser calls itself, in words people know: enough to tell one's own sessions apart.

/// A browser and what it runs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// `Firefox on Linux`.
    pub words: String,
    /// Its drawing: `phone` or `desktop`.
    pub icon: &'static str,
}

/// The first that is found in the text counts: browsers also name those they descend from.
const BROWSERS: [(&str, &str); 8] = [
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

const SYSTEMS: [(&str, &str); 7] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
];

impl Agent {
    /// Reads what a browser calls itself.
    pub fn of(text: &str) -> Agent {
        let find = |list: &[(&'static str, &'static str)]| {
            list.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name)
        };
        let system = find(&SYSTEMS);
        let words = match (find(&BROWSERS), system) {
            (Some(browser), Some(system)) => format!("{browser} on {system}"),
            (Some(name), None) | (None, Some(name)) => name.to_owned(),
            (None, None) if text.is_empty() => "Unknown browser".to_owned(),
            // Programs say their name first.
            (None, None) => text.split_whitespace().next().unwrap_or_default().chars().take(40).collect(),
        };
        let icon = if matches!(system, Some("iPhone" | "iPad" | "Android")) { "phone" } else { "desktop" };
        Agent { words, icon }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_apart() {
        #[rustfmt::skip]
        let cases = [
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",                                                                              "Firefox on Linux",  "desktop"),
            ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36 Edg/148.0.0.0",                         "Edge on Windows",   "desktop"),
            ("Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",               "Safari on iPhone",  "phone"),
            ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 Safari/537.36",                                 "Chrome on macOS",   "desktop"),
            ("curl/8.9.1",                                                                                                                                           "curl/8.9.1",        "desktop"),
            ("",                                                                                                                                                     "Unknown browser",   "desktop"),
        ];
        for (text, words, icon) in cases {
            assert_eq!(Agent::of(text), Agent { words: words.into(), icon });
        }
    }
}
