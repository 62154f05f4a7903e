"""Word lists and sentence patterns of the made-up journals: data only, all of it written for this package.

A pattern is text with slots in braces: ``{colour}`` picks a pattern of that name, ``{a|b}`` one of the words,
``{3-9}`` a whole number, ``{~3-9}`` a range of two such numbers. ``writer.Writer.expand`` fills them.
"""

from __future__ import annotations

GENUS_STARTS = (
    "Cal", "Lept", "Hygr", "Phae", "Melan", "Xyl", "Crypt", "Tram", "Pseud", "Aur", "Glo", "Cten", "Dor", "Erys", "Fus",
    "Hel", "Ino", "Kal", "Lac", "Myr", "Neb", "Orb", "Pil", "Ram", "Sarc", "Tyl", "Vel", "Zon",
)  # fmt: skip
GENUS_MIDDLES = ("", "", "o", "ar", "in", "ol", "ost", "eth", "od")
GENUS_ENDS = ("ella", "omyces", "opsis", "aria", "ospora", "odon", "ium", "ina", "ocybe", "oporus", "othrix", "ascus")
EPITHET_STARTS = (
    "alb", "brunne", "camp", "dens", "el", "ferrug", "gracil", "humil", "insul", "lute", "mont", "nigr", "obscur",
    "pall",
    "querc", "rub", "silv", "ten", "umbr", "vir", "xanth", "fag", "betul", "palud", "aren", "hispid", "min", "rug",
)  # fmt: skip
EPITHET_ENDS = ("ensis", "icola", "atus", "oides", "escens", "osus", "inus", "ifer", "ipes", "ulus", "osporus", "anus")
AUTHOR_STARTS = (
    "Bran", "Kor", "Vel", "Tam", "Hol", "Sig", "Ruz", "Mar", "Dun", "Pel", "Ost", "Lind", "Gra", "Wei", "Zab", "Fer",
    "Nak", "Har", "Bol", "Cas", "Dre", "Ell", "Gon", "Jur", "Lam", "Mont", "Rav", "Thor",
)  # fmt: skip
AUTHOR_ENDS = ("berg", "inski", "ova", "etti", "mann", "strom", "ez", "aud", "ley", "ura", "kov", "sen", "hof", "ier")
INITIALS = "ABCDEFGHJKLMPRSTW"

JOURNALS = (
    ("Annales Mycophilorum", "Ann. Mycoph."),
    ("Folia Fungorum", "Folia Fung."),
    ("Sporae", "Sporae"),
    ("Bulletin of the Hyphal Club", "Bull. Hyphal Cl."),
    ("Acta Agaricina", "Acta Agaric."),
    ("Northern Mycological Record", "N. Mycol. Rec."),
    ("Herbarium Notes", "Herb. Notes"),
    ("Revista de Hongos Australes", "Revta Hong. Austr."),
)

GRAMMAR: dict[str, tuple[str, ...]] = {
    "colour": (
        "white", "cream-coloured", "pale {hue}", "dark {hue}", "{hue}", "{hue}", "{hue} to {hue}", "whitish then {hue}",
        "{hue} when dry", "hyaline", "ochraceous", "greyish {hue}",
    ),
    "hue": ("brown", "yellow", "olive", "grey", "orange", "buff", "reddish brown", "cinnamon", "fuscous", "pinkish"),
    "form": (
        "convex", "plano-convex", "depressed", "umbonate", "hemispherical", "campanulate", "conical then expanded",
    ),
    "surface": (
        "smooth", "glabrous", "fibrillose", "velutinous", "tomentose", "viscid", "scaly", "finely pruinose", "dry",
    ),
    "edge": ("entire", "crenulate", "concolorous", "fimbriate", "paler", "even"),
    "attached": ("adnate", "adnexed", "free", "subdecurrent", "emarginate", "decurrent"),
    "spacing": ("crowded", "distant", "subdistant", "moderately close"),
    "odour": ("none", "indistinct", "farinaceous", "fruity", "of radish", "mild"),
    "sporeform": ("ellipsoid", "subglobose", "fusoid", "allantoid", "amygdaliform", "cylindrical", "broadly ellipsoid"),
    "wall": ("thin-walled", "thick-walled", "slightly thick-walled"),
    "ornament": ("smooth", "verrucose", "minutely warty", "echinulate", "reticulate", "finely striate"),
    "reaction": ("inamyloid", "amyloid", "dextrinoid", "cyanophilous", "non-amyloid", "not reacting in iodine"),
    "cellform": ("clavate", "lageniform", "cylindrical", "utriform", "flexuous", "fusiform", "capitate", "vesiculose"),
    "clamps": ("clamped", "without clamps", "with a basal clamp", "clamp connections absent"),
    "arranged": ("scattered", "gregarious", "caespitose", "solitary", "densely crowded"),
    "micro": ("{~8-16} × {~2-6} {um}", "{~12-30} × {~3-9} {um}", "{~3-9} {um} diam."),
    "short_fact": (
        "Spores {colour}, {ornament}.", "Spores {micro}.", "Spores {sporeform}, {ornament}.",
        "Hyphae {~2-9} {um} wide.",
        "Cystidia absent.", "Clamp connections {present|absent}.", "Odour {odour}.", "Flesh {colour}, unchanging.",
        "Basidia {2-4}-spored.", "Conidia {colour}, {0-3}-septate.", "Asci 8-spored, {cellform}.", "Margin {edge}.",
    ),
    "agaric": (
        "Pileus {~8-90} mm broad, {form}, {surface}, {colour}, margin {edge}.",
        "Lamellae {attached}, {spacing}, {~2-9} mm wide, {colour}, edge {edge}.",
        "Stipe {~15-90} × {~2-12} mm, {cellform}, {surface}, {colour}, {solid|hollow|stuffed}.",
        "Context {~1-6} mm thick in the disc, {colour}; odour {odour}, taste {mild|bitter|acrid|not recorded}.",
        "Spore print {colour}.",
        "Basidiospores {micro}, {sporeform}, {ornament}, {wall}, {colour}, {reaction}.",
        "Basidia {micro}, {cellform}, {2-4}-spored, {clamps}.",
        "Cheilocystidia {micro}, {cellform}, {wall}, {colour}; pleurocystidia {absent|similar but rare|scarce}.",
        "Pileipellis {a cutis|a trichoderm|an ixocutis} of {surface} hyphae {~2-12} {um} wide, with {colour} pigment.",
        "Hyphae of the trama {~3-20} {um} in diameter, {wall}, {clamps}.",
    ),
    "micro_fungus": (
        "Colonies on natural substrate effuse, {surface}, {colour}, {arranged}.",
        "Mycelium mostly immersed, composed of branched, septate, {colour}, {ornament} hyphae {~1-4} {um} wide.",
        "Conidiophores macronematous, {arranged}, erect, {straight|flexuous}, {colour}, {~40-290} × {~3-7} {um}.",
        "Conidiogenous cells {mono|poly}blastic, terminal, {cellform}, {colour}, {micro}.",
        "Conidia {solitary|catenate}, {sporeform}, {colour}, {1-7}-septate, {ornament}, {micro}.",
        "Setae absent or few, {wall}, {colour}, up to {80-300} {um} long.",
        "Colonies on malt agar reaching {12-70} mm in {7-21} days, {surface}, {colour}, reverse {colour}.",
        "Chlamydospores {not seen|intercalary, {colour}, {wall}}. Sexual morph {unknown|not observed}.",
    ),
    "asco": (
        "Ascomata {arranged}, {immersed|erumpent|superficial}, {sporeform}, {colour}, {~120-600} {um} in diameter.",
        "Peridium {~12-60} {um} thick, of {2-6} layers of {colour} angular cells, outer layer {surface}.",
        "Ostiole {papillate|central|inconspicuous}, lined with {colour} periphyses.",
        "Paraphyses {cellform}, septate, {~1-4} {um} wide, {wall}, exceeding the asci.",
        "Asci {~60-140} × {~6-18} {um}, {cellform}, short-stalked, 8-spored, apex {reaction}.",
        "Ascospores {micro}, {sporeform}, {1-5}-septate, constricted at the middle septum, {colour}, {ornament}.",
        "Stromata {arranged}, {colour}, {surface}, {~1-9} mm across, with {colour} tissue beneath.",
        "Asexual morph {not observed|with {colour} conidia {micro}}.",
    ),
    "polypore": (
        "Basidiomata {annual|perennial}, {pileate|resupinate|effused-reflexed}, {~20-150} mm wide, "
        "{surface}, {colour}.",
        "Upper surface {colour}, {surface}, {azonate|zonate|sulcate}, margin {edge}.",
        "Pore surface {colour}, pores {~2-8} per mm, angular to round, dissepiments {edge}.",
        "Tubes up to {2-20} mm deep, {colour}; context {colour}, {corky|fibrous|soft}.",
        "Hyphal system {mono|di|tri}mitic, generative hyphae {clamps}, {wall}, {~2-5} {um} in diameter.",
        "Skeletal hyphae {colour}, {wall}, {reaction}, {~2-7} {um} wide.",
        "Cystidia {absent|{cellform}, encrusted, {micro}}; cystidioles {micro}.",
        "Basidia {cellform}, {2-4}-spored, {micro}. Spores {sporeform}, {ornament}, {reaction}, {micro}.",
    ),
    "latin": (
        "Pileus {~8-60} mm latus, {convexus|planus|umbonatus}, {glaber|siccus|viscidus}, {brunneus|albus|olivaceus}.",
        "Sporae {micro}, {ellipsoideae|fusoideae|globosae}, {leves|verrucosae}, {hyalinae|brunneae}.",
        "Stipes {~10-70} mm longus, {cylindricus|bulbosus}, {albidus|pallide brunneus}; odor {nullus|debilis}.",
        "Hyphae {~2-9} {um} latae, {fibulatae|efibulatae}; cystidia {clavata|fusiformia|nulla}.",
    ),
    "genus_description": (
        "Basidiomata {small|medium-sized|large}, {arranged}, {colour} or {colour}, {surface}.",
        "Spores {sporeform}, {ornament}, {reaction}, {colour} in mass.",
        "Hyphae {clamps}, {wall}, often {colour}. Cystidia {cellform} or absent.",
        "On {substrate} and {substrate}. Type species: {species}.",
    ),
    "plant": (
        "oak", "beech", "birch", "spruce", "pine", "alder", "hazel", "willow", "larch", "maple", "heather", "palm",
    ),
    "substrate": (
        "dead wood of {plant}", "fallen branches of {plant}", "leaf litter of {plant}", "bark of living {plant}",
        "sandy soil under {plant}", "decayed {plant} stump", "dung", "mosses in {plant} forest", "culms of grasses",
    ),
    "place": (
        "the northern uplands", "the Sella valley", "Orland", "the coast of Merania", "the Dorn mountains", "Tarvia",
        "the southern islands", "East Caldonia", "the Veld plateau", "Ruritania", "Lower Istria", "the lake district",
    ),
    "country": ("ORLAND", "MERANIA", "TARVIA", "CALDONIA", "RURITANIA", "ISTRIA"),
    "site": ("Sella", "Dornberg", "Port Vale", "Kesten", "Mirna", "Aldwick", "Lunde", "Castro", "Hollin", "Varda"),
    "month": ("Jan.", "Mar.", "Apr.", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov."),
    "herbarium": ("ORL", "MER", "TAV", "HBK", "LUN", "VRD", "KST"),
    "degree": ("closely", "somewhat", "superficially", "in most respects"),
    "trait": (
        "larger spores", "the {colour} pileus", "{ornament} spores", "the lack of cystidia", "a {surface} surface",
        "{cellform} cystidia", "smaller basidia", "spores {micro}", "the growth on {substrate}", "{wall} hyphae",
    ),
    "habitat": (
        "Habitat: {arranged} on {substrate}, {rare|common|uncommon}, known from {place}.",
        "On {substrate} and {substrate}, from {month} to {month}. Known from {place} and {place}.",
        "Ecology and distribution: {arranged} on {substrate}; so far found in {place} only.",
        "Distribution: {place}, {place}, {place}.",
    ),
    "specimen": (
        "{country}: {site}, {place}, on {substrate}, {1-28} {month} {1921-2012}, {collector} {100-9800} ({herbarium}).",
        "{country}. {site}, alt. {20-2100} m, {substrate}, {1-28} {month} {1921-2012}, "
        "leg. {collector} ({herbarium} {1000-99999}).",
        "{site}, near {site}, {1-28}.{1-12}.{1921-2012}, {collector} no. {10-999} ({herbarium}, holotype).",
    ),
    "note": (
        "{species} {degree} resembles {species}, which differs by {trait} and {trait}.",
        "This species is easily recognised by {trait} together with {trait}.",
        "The name {species} {author} was misapplied by {author} ({1931-1999}) to a fungus with {trait}.",
        "We have seen the type of {species}; it is scanty but shows {trait}.",
        "{short_fact} {short_fact} These characters agree with the account of {author} ({1931-1999}).",
        "In the material from {place} the spores are {sporeform} and measure {micro}.",
        "{species} {author} ({1931-1999}: {12-400}) is a later name for the same fungus.",
        "The position of {species} within {genus} remains doubtful until fresh material is available.",
        "{author} ({1931-1999}) gave {trait} as the main difference, but we find {trait} in all collections.",
    ),
    "prose": (
        "The genus {genus} {author} has been studied in {place} by {author} ({1931-1999}) and {author} ({1931-1999}).",
        "During field work in {place} several collections of {genus} were made on {substrate}.",
        "About {12-90} species are recognised at present, most of them from {place} and {place}.",
        "The delimitation of the species rests on {trait}, {trait} and {trait}.",
        "{author} ({1931-1999}) placed {species} in a section of its own because of {trait}.",
        "Since then no modern treatment of the group has appeared, and many names rest on single specimens.",
        "The present paper gives an account of the species known from {place}, with a key.",
        "Little is known about the ecology, although {substrate} seems to be the preferred substrate.",
        "The results suggest that {species} and {species} are more closely related than was believed.",
        "Whether this reflects a true absence or a lack of collectors cannot be decided now.",
        "A comparison of herbarium sheets in {herbarium} and {herbarium} showed that {trait} varies with age.",
        "In older literature the spores are often said to be {ornament}, which we could not confirm.",
        "All collections agree in {trait}, but they vary in size and colour with the weather.",
        "{author} & {author} ({1931-1999}) recorded it on {substrate} as well, which is confirmed here.",
        "It is not known whether the fungus lives on {plant} all the year round.",
        "The old collections of {author} were lost, so that a new type has to be chosen for {species}.",
        "From a practical point of view {trait} and {trait} are of little use in the field.",
        "Most records from {place} date from {1931-1960} and have not been repeated.",
        "A species near {species} from {place} is left undescribed because only one collection exists.",
        "Molecular data place {genus} near {genus}, as {author} ({1931-1999}) had supposed from {trait}.",
    ),
    "method": (
        "Fresh material was described in the field; colours are given in plain words.",
        "Sections were mounted in water, {3-10} % potassium hydroxide and cotton blue.",
        "Measurements are based on {20-60} spores from each collection and exclude ornamentation.",
        "Specimens are kept in {herbarium}; duplicates were sent to {herbarium} and {herbarium}.",
        "DNA was extracted from dried tissue and the ribosomal spacer amplified with standard primers.",
        "Cultures were grown on malt agar at {18-26} °C in the dark for {7-28} days.",
        "Sequences were aligned by hand and trees computed by parsimony with {100-1000} bootstrap replicates.",
    ),
    "thanks": (
        "We thank {author} and {author} for the loan of specimens and {author} for the figures.",
        "The curators of {herbarium} and {herbarium} kindly sent material on loan.",
        "The work was supported by the foundation of {place}.",
    ),
    "caption": (
        "{Fig} {1-24}. {species}: a. habit; b. spores; c. cystidia. Bar = {5-50} {um}.",
        "{Fig} {1-24}. Spores of {species} ({collector} {100-999}). {short_fact}",
        "{Fig} {1-24}. {species}. Basidia, spores and hyphae from the holotype. Scale bar {5-20} {um}.",
        "{Fig} {1-24}. Distribution of {genus} in {place}. Dots mark collections seen by the authors.",
    ),
    "key_lead": (
        "Spores {ornament}", "Spores {micro}, {sporeform}", "Pileus {surface}, {colour}", "On {substrate}",
        "Cystidia {cellform}, {wall}", "Surface {colour}, {surface}, margin {edge}", "Hyphae {clamps}",
        "Spores {sporeform}, {ornament}, {reaction}, {micro}, {colour}", "Conidia {colour}, {1-5}-septate",
    ),
    "title": (
        "{genus} in {place}", "Notes on {genus} from {place}", "The genus {genus} and its allies",
        "New or little known species of {genus}", "{species} {author}, a new record for {place}",
        "A revision of {genus} based on types", "Fungi on {substrate} in {place}", "Studies in {genus} {1-9}",
    ),
    "general_heading": ("Morphology", "General characters", "Authentic material seen", "Terminology and characters"),
    "list_heading": (
        "Species recorded from {place}", "Checklist", "Names not treated here", "List of taxa compared",
        "Species reported by {author} ({1931-1999})",
    ),
}  # fmt: skip
