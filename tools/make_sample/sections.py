"""The parts of a made-up article, from title to references, as labelled blocks."""

from __future__ import annotations

from collections.abc import Iterator

from make_sample import vocabulary as words
from make_sample.layout import Block, wrap
from make_sample.writer import Taxon, Writer, make_author, make_authority, make_taxon

MISC = "Misc-exposition"
ROMAN = ("Introduction", "Materials and methods", "Taxonomy", "Discussion", "Acknowledgements", "References")


class Sections:
    """Writes the sections of one article."""

    def __init__(self, writer: Writer) -> None:
        self.writer, self.dice, self.style = writer, writer.dice, writer.style

    def block(self, label: str, *entries: str) -> Block:
        """Wrap entries, each beginning a line of its own, into one block."""
        lines = [line for entry in entries for line in wrap(entry, self.style, self.dice)]
        return Block(label, tuple(lines), int(self.dice.chance(self.style.gap)))

    def heading(self, text: str) -> Block:
        """Return a section heading."""
        return self.block(MISC, text.upper() if self.style.caps_headings else text)

    def front(self) -> Iterator[Block]:
        """Write title, authors, addresses, abstract, introduction, methods."""
        yield self.heading(self.writer.sentence("title"))
        yield self.block(MISC, f"{self.writer.expand('{collector}')} & {self.writer.expand('{collector}')}")
        yield self.block("Institution", self.writer.expand("Department of Botany, University of {site}, {place}"))
        abstract = self.writer.paragraph("prose", 2, 5)
        yield self.block("Abstract" if self.dice.chance(0.6) else MISC, f"Abstract. {abstract}")
        yield self.heading(ROMAN[0])
        yield from self.paragraphs("prose", 3)
        yield self.heading(ROMAN[1])
        yield from self.paragraphs("method", 2)

    def paragraphs(self, name: str, count: int) -> Iterator[Block]:
        """Write paragraphs of running text, all Misc-exposition."""
        for _ in range(count):
            yield self.block(MISC, self.writer.paragraph(name, 2, 5))

    def general(self) -> Iterator[Block]:
        """Write a section on characters: worded as descriptions are, but it describes no taxon of a treatment."""
        yield self.heading(self.writer.sentence("general_heading"))
        for _ in range(self.dice.between(1, 3)):
            if self.dice.chance(0.4):
                yield self.block(MISC, self.entry(self.dice.pick(self.writer.taxa)))
            yield self.block(MISC, self.description())

    def checklist(self) -> Iterator[Block]:
        """Write a list of names, set just as in the treatments, but none of them is treated."""
        yield self.heading(self.writer.sentence("list_heading"))
        taxa = [self.dice.pick(self.writer.taxa) for _ in range(self.dice.between(4, 9))]
        entries = [self.entry(taxon, self.dice.chance(0.3)) for taxon in taxa]
        if self.dice.chance(0.5):
            yield self.block(MISC, *entries)
        else:
            yield from (self.block(MISC, entry) for entry in entries)

    def genus_treatment(self) -> Iterator[Block]:
        """Write the genus with its citation and description."""
        taxon = self.dice.pick(self.writer.taxa)
        yield self.block("Nomenclature", f"{self.writer.genus} {make_authority(self.dice)}, {self.citation(taxon)}")
        yield self.block("Description", self.writer.paragraph("genus_description", 3, 5))

    def treatment(self, number: int, taxon: Taxon) -> Iterator[Block]:
        """Write one species: nomenclature, description, habitat, specimens, notes, sometimes a figure."""
        yield self.block("Nomenclature", *self.nomenclature(number, taxon))
        if self.dice.chance(0.3):
            yield self.block(MISC, self.writer.expand("{Fig} {1-30}"))
        if self.dice.chance(0.2):
            yield self.block("Description", self.writer.paragraph("latin", 2, 3))
        yield from self.described()
        yield self.block(self.style.habitat, self.writer.sentence("habitat"))
        heading = self.dice.pick(("Specimens examined: ", "Material: ", ""))
        yield self.block(MISC, heading + self.writer.paragraph("specimen", 2, 6))
        yield self.block(MISC, self.style.note + self.notes())
        if self.dice.chance(0.35):
            yield self.block("Figure", self.writer.sentence("caption"))

    def described(self) -> Iterator[Block]:
        """Write the description of a species in one block or two."""
        yield self.block("Description", self.description())
        if self.dice.chance(0.2):
            yield self.block("Description", self.writer.paragraph("short_fact", 2, 5))

    def description(self) -> str:
        """Write sentences on one organ after the other, in the order of the kind of fungus."""
        patterns = words.GRAMMAR[self.writer.kind]
        sentences = [self.writer.expand(pattern) for pattern in patterns if self.dice.chance(0.8)]
        if self.dice.chance(0.4):
            sentences.append(self.writer.sentence("short_fact"))
        return " ".join(self.organ_first(sentence) for sentence in sentences)

    def organ_first(self, sentence: str) -> str:
        """Set the first word, the organ, as the journal does."""
        organ, _, rest = sentence.partition(" ")
        return f"{(organ, organ.upper(), organ + ':')[self.style.organ]} {rest}"

    def nomenclature(self, number: int, taxon: Taxon) -> list[str]:
        """Write the head of a treatment: the accepted name, a basionym, synonyms."""
        head = self.entry(taxon)
        if self.dice.chance(0.35):
            author, novelty = make_author(self.dice), self.dice.pick(("sp. nov.", "comb. nov.", "nov. sp."))
            head = f"{self.name(taxon)} {author}, {novelty}"
        entries = [f"{number}. {head}" if self.style.numbered else head]
        if self.dice.chance(0.2):
            entries.append("Basionym: " + self.entry(make_taxon(self.dice, self.writer.neighbour)))
        while self.dice.chance(0.3):
            entries.append(self.entry(make_taxon(self.dice, self.writer.neighbour), synonym=True))
        return entries

    def entry(self, taxon: Taxon, synonym: bool = False) -> str:
        """Return a name with authority and place of publication, as a synonym if wanted."""
        name = taxon.binomial if synonym else self.name(taxon)
        cited = self.dice.chance(0.8)
        text = f"{name} {taxon.author}" + (f", {self.citation(taxon)}" if cited else "")
        return self.style.synonym + text if synonym else text

    def name(self, taxon: Taxon) -> str:
        """Return the name of a species as the journal prints it at the head of an entry."""
        return taxon.binomial.upper() if self.style.caps_names else taxon.binomial

    def citation(self, taxon: Taxon) -> str:
        """Return journal, volume, page and year in the journal's order."""
        place = f"{taxon.journal} {taxon.volume}"
        if self.style.citation == 0:
            return f"{place}: {taxon.page}. {taxon.year}."
        if self.style.citation == 1:
            return f"{place}: {taxon.page} ({taxon.year})."
        return f"{place} ({taxon.year}) {taxon.page}."

    def notes(self) -> str:
        """Write the discussion of a species; some of it repeats characters in the words of descriptions."""
        parts = [self.writer.paragraph("note", 2, 6)]
        if self.dice.chance(0.5):
            facts = [self.organ_first(self.writer.sentence(self.writer.kind)) for _ in range(self.dice.between(1, 3))]
            parts += [self.writer.expand("The type of {species} is as follows."), *facts]
        if self.dice.chance(0.15):
            parts.append(f"A synonym may be {self.entry(self.dice.pick(self.writer.taxa))}")
        return " ".join(parts)

    def key(self) -> Iterator[Block]:
        """Write an identification key: couplets that end in a number or a species."""
        yield self.heading(f"Key to the species of {self.writer.genus}")
        entries = []
        couplets = self.dice.between(2, 6)
        for couplet in range(1, couplets + 1):
            for side in range(2):
                mark = (f"{couplet}.", f"{couplet}{'ab'[side]}.", f"{couplet}" + "'" * side)[self.style.key]
                lead = "; ".join(self.writer.sentence("key_lead") for _ in range(self.dice.between(1, 3)))
                if self.dice.chance(0.25):
                    lead += ". " + self.writer.sentence("short_fact").rstrip(".")
                end = str(couplet + 1) if side and couplet < couplets else self.dice.pick(self.writer.taxa).short
                entries.append(f"{mark} {lead} {'.' * self.dice.between(2, 12)} {end}")
        yield self.block("Key", *entries)

    def back(self, references: int) -> Iterator[Block]:
        """Write acknowledgements and references."""
        yield self.heading(ROMAN[4])
        yield self.block(MISC, self.writer.paragraph("thanks", 1, 2))
        yield self.heading(ROMAN[5])
        yield self.block("Bibliography", *sorted(self.reference() for _ in range(references)))

    def reference(self) -> str:
        """Return one entry of the bibliography, in the same shapes as the citations of names."""
        taxon = self.dice.pick(self.writer.taxa)
        author = f"{make_author(self.dice)} {self.dice.pick(words.INITIALS)}"
        title = self.writer.sentence("title")
        last = taxon.page + self.dice.between(1, 30)
        if self.style.bibliography == 0:
            pages = f"{taxon.page}{self.style.dash}{last}"
            return f"{author}. {taxon.year}. {title}. {taxon.journal} {taxon.volume}: {pages}."
        if self.style.bibliography == 1:
            return f"{author}, {title}. {self.citation(taxon)}"
        return f"{author} ({taxon.year}) {title}. {taxon.journal} {taxon.volume}: {taxon.page}."
