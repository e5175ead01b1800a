//! The invented world of the demo: an agency that resells to its customers, a chain with branches,
//! what each of them writes to whom, and when.

use domain::message::MessageClass;

/// An account of the world.
pub struct Who {
    /// The company.
    pub company: &'static str,
    /// Its owner.
    pub owner: &'static str,
    /// The name of its mailbox; the host is `example.com`.
    pub mailbox: &'static str,
    /// The account above, by its place in [`WORLD`].
    pub parent: Option<usize>,
    /// What it holds at the beginning: granted to a main account, given by the parent to others.
    pub credits: &'static str,
    /// The amount that comes by itself from above whenever less than half of it is left.
    pub automatic: Option<&'static str>,
    /// Whether it pays the agency's prices.
    pub resold: bool,
    /// What it sends.
    pub traffic: &'static [Kind],
    /// Where to: countries and how often each.
    pub countries: &'static [(&'static str, u32)],
}

/// A kind of message an account sends.
pub struct Kind {
    /// The tag it is counted by.
    pub label: &'static str,
    /// Who it is from.
    pub sender: &'static str,
    /// How urgent it is.
    pub class: MessageClass,
    /// When it is sent.
    pub rhythm: Rhythm,
    /// What it says. `{name}`, `{code}`, `{time}`, `{order}` and `{day}` stand for something else
    /// each time.
    pub texts: &'static [&'static str],
}

/// When messages of a kind are sent.
pub enum Rhythm {
    /// One at a time, about so many on a usual day.
    Single {
        /// How many.
        a_day: f64,
        /// At which hours.
        hours: &'static [f64; 24],
        /// On which days, Monday first.
        week: &'static [f64; 7],
    },
    /// To many at once, once a week.
    Mailing {
        /// To about how many.
        recipients: usize,
        /// On which day, 0 is Monday.
        weekday: usize,
        /// At which hour.
        hour: u8,
    },
}

const OFFICE: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.0, 0.1, 0.4, 1.2, 3.0, 4.2, 4.0, 3.4, 2.2, 2.6, 3.4, 3.6, 3.0, 2.0, 0.8, 0.3, 0.1,
    0.0, 0.0, 0.0,
];
const SHOP: [f64; 24] = [
    0.3, 0.1, 0.1, 0.0, 0.0, 0.1, 0.4, 1.0, 1.8, 2.4, 2.8, 3.0, 2.9, 2.6, 2.4, 2.4, 2.8, 3.2, 3.6, 3.9, 3.8,
    3.0, 1.8, 0.8,
];
const DAY_AND_NIGHT: [f64; 24] = [
    1.0, 0.8, 0.7, 0.6, 0.7, 1.0, 1.6, 2.2, 2.4, 2.4, 2.2, 2.2, 2.1, 2.1, 2.2, 2.3, 2.6, 2.8, 2.8, 2.6, 2.2,
    1.8, 1.5, 1.2,
];
const MORNING: [f64; 24] = [
    0.0, 0.0, 0.0, 0.0, 0.2, 1.4, 3.0, 4.0, 3.4, 2.0, 1.4, 1.2, 1.0, 0.9, 1.0, 1.2, 1.4, 1.0, 0.4, 0.1, 0.0,
    0.0, 0.0, 0.0,
];

const WORKDAYS: [f64; 7] = [1.15, 1.1, 1.05, 1.1, 0.9, 0.08, 0.03];
const SHOPPING: [f64; 7] = [1.0, 0.9, 0.9, 1.0, 1.15, 1.35, 0.8];
const EVERY_DAY: [f64; 7] = [1.0, 1.0, 1.0, 1.0, 1.05, 0.95, 0.9];
const OPEN_DAYS: [f64; 7] = [0.9, 0.95, 1.0, 1.05, 1.2, 1.4, 0.35];

const GERMANY: &[(&str, u32)] = &[("DE", 96), ("AT", 2), ("CH", 1), ("NL", 1)];
const AUSTRIA: &[(&str, u32)] = &[("AT", 90), ("DE", 8), ("CH", 2)];
const SWITZERLAND: &[(&str, u32)] = &[("CH", 90), ("DE", 7), ("FR", 3)];
const ALPS: &[(&str, u32)] = &[("AT", 58), ("DE", 28), ("CH", 12), ("IT", 2)];
const FRANCE: &[(&str, u32)] = &[("FR", 84), ("CH", 6), ("DE", 5), ("GB", 3), ("ES", 2)];
const EUROPE: &[(&str, u32)] =
    &[("DE", 62), ("AT", 9), ("FR", 8), ("NL", 7), ("PL", 6), ("GB", 5), ("ES", 3)];

const NOTHING: &[Kind] = &[];

/// What every branch of the chain sends.
const BRANCH: &[Kind] = &[
    Kind {
        label: "order-ready",
        sender: "Kornhaus",
        class: MessageClass::Normal,
        rhythm: Rhythm::Single { a_day: 34.0, hours: &MORNING, week: &OPEN_DAYS },
        texts: &[
            "Your order {order} is ready. We hold it for you until {time}. Kornhaus bakery",
            "Good morning {name}, your bread is baked: order {order} can be collected now.",
        ],
    },
    Kind {
        label: "loyalty-code",
        sender: "Kornhaus",
        class: MessageClass::Otp,
        rhythm: Rhythm::Single { a_day: 9.0, hours: &SHOP, week: &OPEN_DAYS },
        texts: &["{code} is your Kornhaus code. It is valid for 10 minutes."],
    },
];

const fn branch(
    company: &'static str,
    mailbox: &'static str,
    owner: &'static str,
    countries: &'static [(&'static str, u32)],
) -> Who {
    Who {
        company,
        owner,
        mailbox,
        parent: Some(CHAIN),
        credits: "40.00",
        automatic: Some("40.00"),
        resold: false,
        traffic: BRANCH,
        countries,
    }
}

/// The agency's place.
pub const AGENCY: usize = 0;
/// The chain's place.
pub const CHAIN: usize = 9;
/// The place of the branch whose manager can sign in.
pub const BRANCH_OF_THE_MANAGER: usize = 10;
/// The customer that has departments.
const UTILITY: usize = 4;

/// The accounts, each after the one above it.
pub const WORLD: &[Who] = &[
    Who {
        company: "Nordlicht Media",
        owner: "Jana Petersen",
        mailbox: "jana.nordlicht",
        parent: None,
        credits: "4500.00",
        automatic: None,
        resold: false,
        traffic: &[Kind {
            label: "alerts",
            sender: "Nordlicht",
            class: MessageClass::Normal,
            rhythm: Rhythm::Single { a_day: 6.0, hours: &OFFICE, week: &WORKDAYS },
            texts: &["Reminder: {name} expects your feedback on draft {order} by {time}."],
        }],
        countries: GERMANY,
    },
    Who {
        company: "Café Sonnendeck",
        owner: "Malte Brandt",
        mailbox: "malte.sonnendeck",
        parent: Some(AGENCY),
        credits: "150.00",
        automatic: Some("50.00"),
        resold: true,
        traffic: &[Kind {
            label: "table",
            sender: "Sonnendeck",
            class: MessageClass::Normal,
            rhythm: Rhythm::Single { a_day: 27.0, hours: &SHOP, week: &SHOPPING },
            texts: &[
                "Hello {name}, your table is booked for {day}, {time}. We look forward to seeing you! Café Sonnendeck",
                "Your table is free now, {name}. We keep it for 15 minutes.",
            ],
        }],
        countries: GERMANY,
    },
    Who {
        company: "Alpenrad Bikes",
        owner: "Theresa Gruber",
        mailbox: "theresa.alpenrad",
        parent: Some(AGENCY),
        credits: "400.00",
        automatic: Some("150.00"),
        resold: true,
        traffic: &[
            Kind {
                label: "shipping",
                sender: "Alpenrad",
                class: MessageClass::Normal,
                rhythm: Rhythm::Single { a_day: 62.0, hours: &OFFICE, week: &WORKDAYS },
                texts: &[
                    "Good news {name}: order {order} has left our workshop and arrives {day}. Track it: https://alpenrad.example/t/{order}",
                    "Your parcel {order} will be delivered today before {time}. Nobody home? Reply with a neighbour's name.",
                ],
            },
            Kind {
                label: "workshop",
                sender: "Alpenrad",
                class: MessageClass::Normal,
                rhythm: Rhythm::Single { a_day: 24.0, hours: &OFFICE, week: &SHOPPING },
                texts: &["Servus {name}, your bike is ready. Open today until {time}."],
            },
        ],
        countries: ALPS,
    },
    Who {
        company: "Dr. Winter Dental",
        owner: "Klara Winter",
        mailbox: "praxis.winter",
        parent: Some(AGENCY),
        credits: "120.00",
        automatic: Some("50.00"),
        resold: true,
        traffic: &[Kind {
            label: "appointment",
            sender: "Dr. Winter",
            class: MessageClass::Normal,
            rhythm: Rhythm::Single { a_day: 41.0, hours: &OFFICE, week: &WORKDAYS },
            texts: &[
                "Reminder: your appointment is on {day} at {time}. Please reply NO if you cannot come. Dr. Winter Dental",
                "Dear {name}, it is time for your check-up. Book online: https://winter.example/book",
            ],
        }],
        countries: GERMANY,
    },
    Who {
        company: "Stadtwerke Auental",
        owner: "Ulrich Sander",
        mailbox: "sander.auental",
        parent: Some(AGENCY),
        credits: "900.00",
        automatic: Some("300.00"),
        resold: true,
        traffic: NOTHING,
        countries: GERMANY,
    },
    Who {
        company: "FitWerk Studios",
        owner: "Dilara Aydin",
        mailbox: "dilara.fitwerk",
        parent: Some(AGENCY),
        credits: "600.00",
        automatic: Some("200.00"),
        resold: true,
        traffic: &[
            Kind {
                label: "class-reminder",
                sender: "FitWerk",
                class: MessageClass::Normal,
                rhythm: Rhythm::Single { a_day: 58.0, hours: &SHOP, week: &EVERY_DAY },
                texts: &[
                    "Hi {name}! Your class starts {day} at {time}. Can't make it? Free your place in the app.",
                ],
            },
            Kind {
                label: "newsletter",
                sender: "FitWerk",
                class: MessageClass::Bulk,
                rhythm: Rhythm::Mailing { recipients: 720, weekday: 3, hour: 17 },
                texts: &[
                    "This weekend at FitWerk: bring a friend for free, all classes, all studios. See you there! STOP to 72727",
                    "New at FitWerk: early bird classes from 6:15, and 20 % off for members until Sunday. STOP to 72727",
                ],
            },
        ],
        countries: GERMANY,
    },
    Who {
        company: "Bijou Paris",
        owner: "Élodie Laurent",
        mailbox: "elodie.bijou",
        parent: Some(AGENCY),
        credits: "350.00",
        automatic: Some("120.00"),
        resold: true,
        traffic: &[
            Kind {
                label: "commande",
                sender: "Bijou",
                class: MessageClass::Normal,
                rhythm: Rhythm::Single { a_day: 49.0, hours: &SHOP, week: &SHOPPING },
                texts: &[
                    "Bonjour {name}, votre commande {order} est prête. À bientôt chez Bijou !",
                    "Votre colis {order} arrive {day} avant {time}.",
                ],
            },
            Kind {
                label: "login",
                sender: "Bijou",
                class: MessageClass::Otp,
                rhythm: Rhythm::Single { a_day: 22.0, hours: &SHOP, week: &EVERY_DAY },
                texts: &["Code Bijou : {code}. Ne le partagez avec personne."],
            },
        ],
        countries: FRANCE,
    },
    Who {
        company: "Auental customer service",
        owner: "Petra Lohse",
        mailbox: "service.auental",
        parent: Some(UTILITY),
        credits: "300.00",
        automatic: Some("100.00"),
        resold: false,
        traffic: &[
            Kind {
                label: "meter-reading",
                sender: "Auental",
                class: MessageClass::Normal,
                rhythm: Rhythm::Single { a_day: 74.0, hours: &OFFICE, week: &WORKDAYS },
                texts: &[
                    "Dear {name}, please send us your meter reading by {day}: https://auental.example/m/{order}",
                    "Thank you, we have your reading. Your new instalment is due on {day}. Contract {order}.",
                ],
            },
            Kind {
                label: "portal-code",
                sender: "Auental",
                class: MessageClass::Otp,
                rhythm: Rhythm::Single { a_day: 46.0, hours: &DAY_AND_NIGHT, week: &EVERY_DAY },
                texts: &["Your Auental portal code: {code}"],
            },
        ],
        countries: GERMANY,
    },
    Who {
        company: "Auental fault service",
        owner: "Igor Wagner",
        mailbox: "fault.auental",
        parent: Some(UTILITY),
        credits: "80.00",
        automatic: Some("60.00"),
        resold: false,
        traffic: &[Kind {
            label: "outage",
            sender: "Auental",
            class: MessageClass::Otp,
            rhythm: Rhythm::Single { a_day: 18.0, hours: &DAY_AND_NIGHT, week: &EVERY_DAY },
            texts: &[
                "Power cut in your street since {time}. We are at work and expect to be done within two hours. Auental",
                "The power is back. If yours is not, please check the fuse box or call us.",
            ],
        }],
        countries: GERMANY,
    },
    Who {
        company: "Kornhaus Bakeries",
        owner: "Benedikt Korn",
        mailbox: "benedikt.kornhaus",
        parent: None,
        credits: "1200.00",
        automatic: None,
        resold: false,
        traffic: &[Kind {
            label: "club",
            sender: "Kornhaus",
            class: MessageClass::Bulk,
            rhythm: Rhythm::Mailing { recipients: 980, weekday: 4, hour: 10 },
            texts: &[
                "Kornhaus club: this Saturday every second loaf is on us. Show this message. STOP to 72728",
                "Kornhaus club: our Sunday rolls are back! Order until 6 pm, collect from 7 am. STOP to 72728",
            ],
        }],
        countries: EUROPE,
    },
    branch("Kornhaus Berlin", "berlin.kornhaus", "Aylin Demir", GERMANY),
    branch("Kornhaus Hamburg", "hamburg.kornhaus", "Finn Harms", GERMANY),
    branch("Kornhaus Munich", "munich.kornhaus", "Leni Huber", GERMANY),
    branch("Kornhaus Cologne", "cologne.kornhaus", "Jonas Esser", GERMANY),
    branch("Kornhaus Frankfurt", "frankfurt.kornhaus", "Mara Vogt", GERMANY),
    branch("Kornhaus Leipzig", "leipzig.kornhaus", "Ole Richter", GERMANY),
    branch("Kornhaus Vienna", "vienna.kornhaus", "Paula Novak", AUSTRIA),
    branch("Kornhaus Zurich", "zurich.kornhaus", "Reto Meier", SWITZERLAND),
];

/// What the operator asks for a segment, and what the agency asks its customers: country, both
/// prices. The last is the rest of the world.
pub const PRICES: &[(&str, &str, &str)] = &[
    ("DE", "0.068", "0.079"),
    ("AT", "0.071", "0.085"),
    ("CH", "0.062", "0.078"),
    ("FR", "0.052", "0.066"),
    ("NL", "0.083", "0.099"),
    ("GB", "0.041", "0.055"),
    ("IT", "0.058", "0.072"),
    ("ES", "0.047", "0.060"),
    ("PL", "0.029", "0.040"),
    ("US", "0.012", "0.020"),
    ("*", "0.140", "0.170"),
];

/// Mobile prefixes and how many digits follow them.
pub const MOBILES: &[(&str, &[&str], u32)] = &[
    ("DE", &["49151", "49152", "49157", "49159"], 8),
    ("DE", &["49160", "49162", "49163", "49170", "49171", "49172", "49175", "49176", "49177", "49179"], 7),
    ("AT", &["43660", "43664", "43676", "43677", "43699"], 7),
    ("CH", &["4176", "4177", "4178", "4179"], 7),
    ("FR", &["336", "337"], 8),
    ("NL", &["316"], 8),
    ("GB", &["44740", "44742", "44747", "44785"], 7),
    ("IT", &["39320", "39333", "39347", "39388"], 7),
    ("ES", &["346"], 8),
    ("PL", &["4850", "4851", "4860", "4869", "4879"], 7),
];

/// First names, for texts.
pub const NAMES: &[&str] = &[
    "Anna", "Ben", "Clara", "David", "Ella", "Felix", "Greta", "Hannah", "Ida", "Jakob", "Lena", "Luis",
    "Mia", "Noah", "Oskar", "Paul", "Rosa", "Sofia", "Theo", "Zoe", "Jürgen", "Chloé", "Amélie", "Ömer",
];
/// Days, for texts.
pub const DAYS: &[&str] = &["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
