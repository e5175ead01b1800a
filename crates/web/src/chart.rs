//! Charts of our own, drawn as SVG in the page: stacked bars, lines and sparklines, coloured by
//! classes, so that both themes and the strict policy hold. Bars may be links. Everything a chart
//! shows is also there as a table.
//!
//! Widths are shares of the place there is, heights are pixels: so letters stay letters on a phone.

use std::fmt::Write as _;

use askama::Template;
use askama::filters::HtmlSafe;
use domain::credits::Credits;

use crate::format::Format;

/// How high the drawing is, in pixels, without the line of labels below it.
const HEIGHT: f64 = 180.0;
/// How many lines of the grid there are at most.
const TICKS_MAX: i64 = 5;
/// How many labels stand below the bars, on a wide screen and on a narrow one.
const LABELS_WIDE: usize = 8;
const LABELS_NARROW: usize = 4;
/// How many of them where one has more than so many letters, as names have.
const LONG_LABELS_NARROW: usize = 3;
const LABEL_LONG: usize = 8;
/// How many colours there are; further series share the last one.
const COLOURS: usize = 8;

/// What the numbers are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    #[default]
    Count,
    /// Millionths of the currency.
    Money,
    /// Tenths of a percent.
    Share,
}

impl Unit {
    fn exact(self, value: i64, format: &Format) -> String {
        match self {
            Unit::Count => format.count(value),
            Unit::Money => format.exact(Credits(value)),
            Unit::Share => format!("{}.{}%", value / 10, (value % 10).abs()),
        }
    }

    fn short(self, value: i64, format: &Format) -> String {
        match self {
            Unit::Count => format.short(value),
            Unit::Money if value % 1_000_000 == 0 => {
                format!("{}{}", format.currency_sign(), format.short(value / 1_000_000))
            }
            Unit::Money => format.exact(Credits(value)),
            Unit::Share => format!("{}%", value / 10),
        }
    }
}

/// How it is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// Bars, the series on top of each other.
    #[default]
    Bars,
    /// A line a series.
    Lines,
}

/// A place on the lower axis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slot {
    /// As it stands below the axis: `27 Nov`.
    pub label: String,
    /// In full: `Friday, 27 November 2026`.
    pub full: String,
    /// The rows behind it.
    pub href: Option<String>,
}

/// Numbers that belong together, one a slot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// What they are.
    pub name: String,
    /// A tone that has a meaning (`good`, `bad`, `warn`, `busy`, `before`); empty for the next colour.
    pub tone: &'static str,
    /// One a slot; nothing where there is none.
    pub values: Vec<Option<i64>>,
}

/// A chart. Draws itself.
#[derive(Clone, Debug)]
pub struct Chart {
    /// A word that is unique on the page.
    pub id: &'static str,
    /// What it shows.
    pub title: String,
    /// How it is drawn.
    pub kind: Kind,
    /// What the numbers are.
    pub unit: Unit,
    /// What the slots are, as the head of the table: `Day`.
    pub slots_are: &'static str,
    /// The places on the lower axis.
    pub slots: Vec<Slot>,
    /// What is drawn at each of them.
    pub series: Vec<Series>,
    /// How numbers are written.
    pub format: Format,
}

/// The upper end of an axis that holds a value, and the step between two lines of its grid: 1, 2 or 5
/// times a power of ten, so that people can read it.
pub fn axis(highest: i64) -> (i64, i64) {
    let highest = highest.max(1);
    let mut step: i64 = 1;
    let mut factors = [2, 5, 10].into_iter().cycle();
    let mut decade: i64 = 1;
    while highest.div_euclid(step) + i64::from(highest % step != 0) > TICKS_MAX {
        let factor = factors.next().unwrap_or(10);
        step = decade.saturating_mul(factor);
        if factor == 10 {
            decade = step;
        }
        if step == i64::MAX {
            break;
        }
    }
    let count = highest.div_euclid(step) + i64::from(highest % step != 0);
    (step.saturating_mul(count), step)
}

/// A line of the grid.
struct Tick {
    y: String,
    label: String,
}

/// A slot as it is drawn.
struct Drawn {
    readout: String,
    href: Option<String>,
    /// Left edge and width of what one can point at, in percent.
    x: String,
    width: String,
    middle: String,
    shapes: Vec<Shape>,
}

/// A piece of a bar, or a point of a line.
struct Shape {
    class: String,
    x: String,
    width: String,
    y: String,
    height: String,
}

/// A label below the axis.
struct Label {
    x: String,
    words: String,
    class: &'static str,
}

/// A line as it is drawn: in a box of 100 by the height, stretched.
struct Line {
    class: String,
    paths: String,
}

#[derive(Template)]
#[template(path = "_chart.html")]
struct Drawing<'a> {
    chart: &'a Chart,
    ticks: Vec<Tick>,
    slots: Vec<Drawn>,
    labels: Vec<Label>,
    lines: Vec<Line>,
    legend: Vec<(String, &'a str, String)>,
    rows: Vec<(&'a Slot, Vec<String>)>,
    description: String,
    newest: String,
}

impl std::fmt::Display for Chart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let html = self.drawing().render().map_err(|_| std::fmt::Error)?;
        f.write_str(&html)
    }
}

impl HtmlSafe for Chart {}

fn pixels(value: f64) -> String {
    short(value, 1)
}

fn percent(value: f64) -> String {
    format!("{}%", short(value, 3))
}

/// A number in as few letters as it takes.
fn short(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text.is_empty() || text == "-0" { "0".to_owned() } else { text.to_owned() }
}

impl Chart {
    fn class_of(&self, series: usize) -> String {
        match self.series[series].tone {
            "" => format!("series-{}", series.min(COLOURS - 1) + 1),
            tone => format!("series-{tone}"),
        }
    }

    fn value(&self, series: usize, slot: usize) -> i64 {
        self.series[series].values.get(slot).copied().flatten().unwrap_or(0)
    }

    fn sum_at(&self, slot: usize) -> i64 {
        (0..self.series.len()).map(|s| self.value(s, slot)).fold(0, i64::saturating_add)
    }

    fn highest(&self) -> i64 {
        let of_slot = |slot: usize| match self.kind {
            Kind::Bars => self.sum_at(slot),
            Kind::Lines => (0..self.series.len()).map(|s| self.value(s, slot)).max().unwrap_or(0),
        };
        (0..self.slots.len()).map(of_slot).max().unwrap_or(0)
    }

    /// Whether there is anything to see.
    pub fn is_empty(&self) -> bool {
        self.series.iter().all(|series| series.values.iter().all(|value| value.unwrap_or(0) == 0))
    }

    fn is_linked(&self) -> bool {
        self.slots.iter().any(|slot| slot.href.is_some())
    }

    fn drawing(&self) -> Drawing<'_> {
        let (top, step) = match self.unit {
            Unit::Share => (1000, 250),
            _ => axis(self.highest()),
        };
        let y = |value: i64| HEIGHT - HEIGHT * value.max(0) as f64 / top as f64;
        let ticks = (0..=top / step).map(|n| n * step);
        let ticks =
            ticks.map(|value| Tick { y: pixels(y(value)), label: self.unit.short(value, &self.format) });
        let count = self.slots.len().max(1) as f64;
        let slots = (0..self.slots.len()).map(|slot| self.slot(slot, 100.0 / count, &y));
        let lines = match self.kind {
            Kind::Bars => Vec::new(),
            Kind::Lines => {
                (0..self.series.len()).map(|series| self.line(series, 100.0 / count, &y)).collect()
            }
        };
        let total =
            |s: usize| self.series[s].values.iter().flatten().fold(0_i64, |a, b| a.saturating_add(*b));
        let legend = (0..self.series.len()).map(|s| {
            let total = if self.unit == Unit::Share {
                String::new()
            } else {
                self.unit.exact(total(s), &self.format)
            };
            (self.class_of(s), self.series[s].name.as_str(), total)
        });
        Drawing {
            ticks: ticks.collect(),
            slots: slots.collect(),
            labels: self.labels(100.0 / count),
            lines,
            legend: legend.collect(),
            rows: self.rows(),
            description: self.description(),
            newest: self.slots.len().checked_sub(1).map(|last| self.readout(last)).unwrap_or_default(),
            chart: self,
        }
    }

    fn slot(&self, slot: usize, width: f64, y: &impl Fn(i64) -> f64) -> Drawn {
        let left = slot as f64 * width;
        let mut shapes = Vec::new();
        match self.kind {
            Kind::Bars => {
                let (bar, mut below) = ((width * 0.72).min(36.0), 0_i64);
                for series in (0..self.series.len()).filter(|s| self.value(*s, slot) > 0) {
                    let (from, to) = (y(below), y(below.saturating_add(self.value(series, slot))));
                    below = below.saturating_add(self.value(series, slot));
                    // Whole pixels leave no gaps, and what is there can be seen, however little it is.
                    let (from, to) = (from.round(), to.round());
                    let height = (from - to).max(1.0);
                    shapes.push(Shape {
                        class: self.class_of(series),
                        x: percent(left + (width - bar) / 2.0),
                        width: percent(bar),
                        y: pixels(from - height),
                        height: pixels(height),
                    });
                }
            }
            Kind::Lines => {
                let there =
                    (0..self.series.len()).filter_map(|s| Some((s, (*self.series[s].values.get(slot)?)?)));
                shapes.extend(there.map(|(series, value)| Shape {
                    class: self.class_of(series),
                    x: percent(left + width / 2.0),
                    width: String::new(),
                    y: pixels(y(value)),
                    height: String::new(),
                }));
            }
        }
        Drawn {
            readout: self.readout(slot),
            href: self.slots[slot].href.clone(),
            x: percent(left),
            width: percent(width),
            middle: percent(left + width / 2.0),
            shapes,
        }
    }

    /// What stands at a slot, in words: `27 Nov 2026: 1,204 delivered, 12 failed`.
    fn readout(&self, slot: usize) -> String {
        let mut words = format!("{}: ", self.slots[slot].full);
        for (i, series) in self.series.iter().enumerate() {
            let value = series.values.get(slot).copied().flatten();
            let value = value.map_or_else(|| "none".to_owned(), |v| self.unit.exact(v, &self.format));
            let comma = if i == 0 { "" } else { ", " };
            let _ = write!(words, "{comma}{value} {}", series.name.to_lowercase());
        }
        words
    }

    fn line(&self, series: usize, width: f64, y: &impl Fn(i64) -> f64) -> Line {
        let mut paths = String::new();
        let mut pen_is_down = false;
        for (slot, value) in self.series[series].values.iter().enumerate().take(self.slots.len()) {
            let Some(value) = value else {
                pen_is_down = false;
                continue;
            };
            let command = if pen_is_down { 'L' } else { 'M' };
            pen_is_down = true;
            let _ = write!(paths, "{command}{} {}", short((slot as f64 + 0.5) * width, 3), pixels(y(*value)));
        }
        Line { class: self.class_of(series), paths }
    }

    fn labels(&self, width: f64) -> Vec<Label> {
        let count = self.slots.len();
        let every = |most: usize| count.div_ceil(most).max(1);
        let is_long = self.slots.iter().any(|slot| slot.label.chars().count() > LABEL_LONG);
        let most = if is_long { LONG_LABELS_NARROW } else { LABELS_NARROW };
        let (wide, narrow) = (every(LABELS_WIDE), every(most));
        // A narrow screen shows some of those a wide one shows.
        let narrow = narrow.div_ceil(wide) * wide;
        let shown = (0..count).filter(|slot| slot % wide == 0);
        shown
            .map(|slot| Label {
                x: percent((slot as f64 + 0.5) * width),
                words: self.slots[slot].label.clone(),
                class: if slot % narrow == 0 { "tick" } else { "tick tick-wide" },
            })
            .collect()
    }

    fn rows(&self) -> Vec<(&Slot, Vec<String>)> {
        let cell = |series: &Series, slot: usize| match series.values.get(slot).copied().flatten() {
            Some(value) => self.unit.exact(value, &self.format),
            None => "–".to_owned(),
        };
        let cells = |slot: usize| self.series.iter().map(|series| cell(series, slot)).collect();
        self.slots.iter().enumerate().map(|(slot, about)| (about, cells(slot))).collect()
    }

    fn description(&self) -> String {
        let (Some(first), Some(last)) = (self.slots.first(), self.slots.last()) else {
            return "There is nothing to show.".to_owned();
        };
        let names: Vec<&str> = self.series.iter().map(|s| s.name.as_str()).collect();
        let slots = self.slots_are.to_lowercase();
        format!(
            "{} by {slots}, from {} to {}. The numbers are in the table below.",
            names.join(", "),
            first.full,
            last.full
        )
    }
}

/// A small line without axes, for a row of a table. Draws itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sparkline {
    /// What it says, in words.
    pub label: String,
    /// The values, the oldest first.
    pub values: Vec<i64>,
}

impl std::fmt::Display for Sparkline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (width, height) = (96.0, 24.0);
        let top = self.values.iter().copied().max().unwrap_or(0).max(1) as f64;
        let step = width / (self.values.len().max(2) - 1) as f64;
        let mut path = String::new();
        for (i, value) in self.values.iter().enumerate() {
            let y = 1.5 + (height - 3.0) * (1.0 - (*value).max(0) as f64 / top);
            let command = if i == 0 { 'M' } else { 'L' };
            write!(path, "{command}{} {}", short(i as f64 * step, 1), short(y, 1))?;
        }
        let label =
            askama::filters::escape(&self.label, askama::filters::Html).map_err(|_| std::fmt::Error)?;
        write!(
            f,
            "<svg class=\"sparkline\" viewBox=\"0 0 96 24\" role=\"img\" aria-label=\"{label}\"><path d=\"{path}\"/></svg>"
        )
    }
}

impl HtmlSafe for Sparkline {}

#[cfg(test)]
pub(crate) mod tests {
    use domain::moment::Moment;
    use jiff::tz::TimeZone;

    use super::*;

    fn format() -> Format {
        Format { time_zone: TimeZone::UTC, currency: "EUR".into(), now: Moment(0) }
    }

    fn chart(kind: Kind, values: [&[i64]; 2]) -> Chart {
        let slot = |n: usize| Slot {
            label: format!("{n}"),
            full: format!("Day {n}"),
            href: Some(format!("/d?n={n}&x")),
        };
        let series = |name: &str, values: &[i64]| Series {
            name: name.into(),
            tone: "",
            values: values.iter().copied().map(Some).collect(),
        };
        Chart {
            id: "sent",
            title: "Sent <b>".into(),
            kind,
            unit: Unit::Count,
            slots_are: "Day",
            slots: (0..values[0].len()).map(slot).collect(),
            series: vec![series("Delivered", values[0]), series("Failed", values[1])],
            format: format(),
        }
    }

    #[test]
    fn an_axis_ends_above_the_highest_value_in_steps_people_count_by() {
        #[rustfmt::skip]
        let cases = [
            (0,           (1, 1)),
            (1,           (1, 1)),
            (5,           (5, 1)),
            (6,           (6, 2)),
            (99,          (100, 20)),
            (100,         (100, 20)),
            (101,         (150, 50)),
            (1_234_567,   (1_500_000, 500_000)),
        ];
        for (highest, expected) in cases {
            assert_eq!(axis(highest), expected, "{highest}");
        }
        for highest in [i64::MAX, i64::MAX - 1, 1 << 60] {
            let (top, step) = axis(highest);
            assert!(top >= highest && step > 0 && top / step <= TICKS_MAX + 1, "{highest}: {top} {step}");
        }
    }

    #[test]
    fn bars_stand_on_each_other_and_end_at_their_sum() {
        let chart = chart(Kind::Bars, [&[60, 0], &[40, 0]]);
        let drawing = chart.drawing();
        let shapes = &drawing.slots[0].shapes;
        // The axis ends at 100: 60 % of 180 pixels, then 40 % above it.
        assert_eq!((&*shapes[0].y, &*shapes[0].height), ("72", "108"));
        assert_eq!((&*shapes[1].y, &*shapes[1].height), ("0", "72"));
        assert_eq!((&*shapes[0].x, &*shapes[0].width), ("7%", "36%"));
        assert!(drawing.slots[1].shapes.is_empty());
    }

    #[test]
    fn a_little_of_something_can_be_seen() {
        let chart = chart(Kind::Bars, [&[1_000_000], &[1]]);
        assert_eq!(chart.drawing().slots[0].shapes[1].height, "1");
    }

    #[test]
    fn a_line_has_a_gap_where_there_is_no_value() {
        let mut chart = chart(Kind::Lines, [&[0, 50, 100, 100], &[0, 0, 0, 0]]);
        chart.series[0].values[2] = None;
        assert_eq!(chart.drawing().lines[0].paths, "M12.5 180L37.5 90M87.5 0");
    }

    #[test]
    fn a_chart_says_in_words_and_in_a_table_what_it_shows() {
        let html = chart(Kind::Bars, [&[1_200, 0], &[3, 0]]).to_string();
        for expected in ["Day 0: 1,200 delivered, 3 failed", "Sent &#60;b&#62;", "/d?n=0&#38;x", "<table"] {
            assert!(html.contains(expected), "{expected}: {html}");
        }
        assert!(!html.contains("style=") && !html.contains("<style"), "the policy would refuse it");
    }

    #[test]
    fn nothing_at_all_can_be_drawn() {
        let empty = chart(Kind::Lines, [&[], &[]]);
        assert!(empty.is_empty());
        assert!(empty.to_string().contains("nothing to show"));
        assert!(Sparkline { label: "\"<".into(), values: vec![] }.to_string().contains("&#34;&#60;"));
    }

    #[test]
    fn few_labels_stand_below_many_bars() {
        let values = vec![1; 365];
        let chart = chart(Kind::Bars, [&values, &values]);
        let labels = chart.labels(100.0 / 365.0);
        assert!(labels.len() <= LABELS_WIDE);
        assert!(labels.iter().filter(|l| l.class == "tick").count() <= LABELS_NARROW);
    }
}
