#!/usr/bin/env python3
"""Writes crates/domain/data/countries.tsv and networks.tsv.

    python3 -m venv /tmp/v && /tmp/v/bin/pip install phonenumbers==9.0.43
    cd /tmp && npm pack mcc-mnc-list@1.1.11 && tar xzf mcc-mnc-list-*.tgz
    /tmp/v/bin/python tools/networks.py /tmp/package/mcc-mnc-list.json

Joins two public lists of facts: which prefix was given to which carrier (phonenumbers, Apache-2.0)
and which carrier has which network code (mcc-mnc-list, MIT). A name that the two write too
differently is left out: no network is better than a wrong one.
"""

import json
import re
import sys
import unicodedata
from collections import defaultdict
from pathlib import Path

import phonenumbers
from phonenumbers.carrierdata import CARRIER_DATA
from phonenumbers.geodata.locale import LOCALE_DATA

OUT = Path(__file__).resolve().parent.parent / "crates" / "domain" / "data"

# Say nothing about which company it is.
LEGAL = set("ab ad ag as bv co company corp corporation cv doo ehf gmbh inc jsc kg kk lda limitada limited llc llp "
            "llsc ltd ltda mbh nv ojsc oao ohg ooo oy oyj pjsc plc private psc pt pte pty pvt sa sac sae sal sarl sas "
            "sasu sdn bhd se spa sp srl sro tbk tov uab ug wll zao zrt the and de of".split())
# Say little: names may differ in them, but only as a last resort.
GENERIC = set("cellular cell communication communications gsm group holding mobil mobile mobiles movil network "
              "networks operator services telecom telecommunication telecommunications telekom tel "
              "telefon telephone wireless".split())

# Names under which phonenumbers keeps prefixes of a brand that has been renamed or bought, by
# country; each is the code of the network that has them today.
RENAMED = {
    ("AT", "a1ta"): "23201", ("AT", "three"): "23205", ("AT", "tmobile"): "23203",
    ("BR", "telemigcelular"): "72406", ("DE", "eplus"): "26203", ("DE", "o2"): "26203",
    ("DE", "tmobile"): "26201", ("GB", "orange"): "23433", ("GB", "three"): "23420",
    ("HK", "hkt"): "45400", ("IE", "three"): "27205", ("IN", "idea"): "40422",
    ("IN", "reliancejio"): "405840", ("IT", "3"): "22299", ("IT", "wind"): "22288",
    ("KZ", "t2"): "40177", ("RU", "t2"): "25020", ("SE", "teliasonera"): "24001",
}


def words(name):
    """The words of a name that tell companies apart, without accents, signs and legal forms."""
    plain = unicodedata.normalize("NFKD", name or "").encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"\(.*?\)", " ", plain.replace("&", " and "))
    plain = re.sub(r"[.'’/-]", "", plain)
    return [w for w in re.split(r"[^a-z0-9+]+", plain) if w and w not in LEGAL]


def keys(name, country_names):
    """The spellings to compare, the strictest first."""
    all_words = words(name)
    local = [w for w in all_words if w not in country_names]
    core = [w for w in local if w not in GENERIC]
    return [k for k in ("".join(all_words), "".join(local), "".join(core)) if len(k) > 1 or k.isdigit()]


def country_name(code):
    missing = {"AC": "Ascension Island", "TA": "Tristan da Cunha", "XK": "Kosovo"}
    if code in missing:
        return missing[code]
    names = LOCALE_DATA[code]
    # A star says that the name is the same as in another language.
    name = names["en"]
    return names[name[1:]] if name.startswith("*") else name


def networks(path):
    """Operational networks, by country: (mcc, mnc, name, spellings by how far they may be trusted)."""
    found = defaultdict(list)
    for row in json.loads(Path(path).read_text()):
        if row["status"] != "Operational" or row["type"] == "Test" or not row["countryCode"]:
            continue
        if not re.fullmatch(r"\d{3}", row["mcc"] or "") or not re.fullmatch(r"\d{2,3}", row["mnc"] or ""):
            continue
        name = re.sub(r"\s+", " ", (row["brand"] or row["operator"] or "")).strip()
        if not name or not row["operator"] and name in ("No name", "Local"):
            continue
        # Railways and private networks have no prefixes that customers write to.
        minor = any(w in (row["bands"] or "") for w in ("MVNO", "GSM-R", "Unknown")) or not row["brand"]
        former = re.findall(r"[Ff]ormer(?:ly)?:? ([^;()]+)", row["notes"] or "")
        aliases = [a for f in former for a in re.split(r",|/| and ", f)]
        for country in row["countryCode"].split("/"):
            if country in phonenumbers.SUPPORTED_REGIONS:
                own = set(words(country_name(country))) | {country.lower()}
                tiers = [
                    [keys(row["brand"] or "", own), keys(row["operator"] or "", own)],
                    [keys(part, own) for part in (row["brand"] or "").split("/")],
                    [keys(alias, own) for alias in aliases],
                ]
                found[country].append((minor, row["mcc"], row["mnc"], name, tiers))
    return {country: sorted(rows, key=lambda r: r[:3]) for country, rows in found.items()}


def match(carrier, country, rows):
    """The network a carrier's name stands for, or None when it is not clear."""
    own = set(words(country_name(country))) | {country.lower()}
    wanted = keys(carrier, own)
    for spelling in wanted:
        if (country, spelling) in RENAMED:
            code = RENAMED[country, spelling]
            return next((r for r in rows if r[1] + r[2] == code), None)
    for tier in range(3):
        for spelling in wanted:
            for row in rows:
                if any(spelling in spellings for spellings in row[4][tier]):
                    return row
    # Vodafone/Lycamobile: the network, and who sells it.
    first = carrier.partition("/")[0]
    return match(first, country, rows) if first != carrier else None


def region_of(prefix):
    """The countries a prefix may be in: several share +1, +7, +44 and others."""
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(prefix[:length]))
        if regions:
            break
    else:
        return None
    if len(regions) == 1:
        return regions[0]
    national = prefix[length:]
    for region in regions:
        metadata = phonenumbers.PhoneMetadata.metadata_for_region(region)
        if metadata.leading_digits and re.match(metadata.leading_digits, national):
            return region
    for fill in ("2345678901", "0000000000", "5555555555"):
        for total in range(len(national) + 1, 13):
            number = phonenumbers.PhoneNumber(int(prefix[:length]), int((national + fill)[:total]))
            region = phonenumbers.region_code_for_number(number)
            if region:
                return region
    return None


def main(mcc_mnc_list):
    OUT.mkdir(exist_ok=True)
    with open(OUT / "countries.tsv", "w") as out:
        for code in sorted(phonenumbers.SUPPORTED_REGIONS):
            metadata = phonenumbers.PhoneMetadata.metadata_for_region(code)
            trunk = metadata.national_prefix or ""
            # Some plans have more to take off than the trunk prefix: carrier codes, local forms.
            rule = metadata.national_prefix_for_parsing or ""
            writing = "plain" if rule == trunk or rule.startswith("0(") else "special"
            out.write(f"{code}\t{metadata.country_code}\t{trunk}\t{writing}\t{country_name(code)}\n")

    by_country = networks(mcc_mnc_list)
    code_of = {}
    unmatched = defaultdict(int)
    for prefix, names in CARRIER_DATA.items():
        country = region_of(prefix)
        carrier = names.get("en", "")
        row = match(carrier, country, by_country[country]) if country in by_country else None
        # An unmatched carrier still ends the prefix of a matched one around it.
        code_of[prefix] = (country, row[1], row[2]) if row else None
        if not row:
            unmatched[country, carrier] += 1

    # A prefix says nothing that the next shorter one does not say already; and ten siblings that
    # agree are one parent, unless the parent is a whole calling code.
    for length in range(9, 4, -1):
        siblings = defaultdict(dict)
        for prefix, code in code_of.items():
            if len(prefix) == length:
                siblings[prefix[:-1]][prefix] = code
        for parent, children in siblings.items():
            if len(children) == 10 and len(set(children.values())) == 1:
                code_of[parent] = next(iter(children.values()))
    kept = defaultdict(list)
    for prefix, code in sorted(code_of.items()):
        above = next((code_of[prefix[:n]] for n in range(len(prefix) - 1, 0, -1) if prefix[:n] in code_of), None)
        if code != above:
            kept[code].append(prefix)

    with open(OUT / "networks.tsv", "w") as out:
        for country in sorted(by_country):
            # A code that the list has twice keeps its first name.
            names = {(mcc, mnc): name for _, mcc, mnc, name, _ in reversed(by_country[country])}
            for (mcc, mnc), name in sorted(names.items()):
                prefixes = " ".join(kept.pop((country, mcc, mnc), []))
                out.write(f"{country}\t{mcc}\t{mnc}\t{name}\t{prefixes}\n")
        # Prefixes inside those above that belong to a carrier without a match.
        out.write(f"\t\t\t\t{' '.join(kept.pop(None, []))}\n")
    assert not kept, kept
    matched = sum(1 for code in code_of.values() if code)
    print(f"{matched} of {len(code_of)} prefixes have a network", file=sys.stderr)
    for (country, carrier), count in sorted(unmatched.items(), key=lambda i: -i[1])[:60]:
        print(f"  {country} {carrier}: {count}", file=sys.stderr)


main(sys.argv[1])
