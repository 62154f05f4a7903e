"""The parameters of ``RNNSkolModel``: their names, defaults and documentation, and their older spellings."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from skol_rnn.former import IGNORED, MODEL_NAMES, MODEL_OPTIONS, FormerNames, refusal
from skol_rnn.labels import suggestion

if TYPE_CHECKING:
    from skol_rnn.imbalance.class_weights import ClassWeights

REMOVED = {
    "steep_weights": "class weights are capped at the ratio of the label counts",
    "merge": "a line's label comes from the window that has it nearest its centre",
    "tuning_folds": "offsets are tuned on the validation documents",
    **{name: former.advice for name, former in MODEL_OPTIONS.items() if former.now == IGNORED},
}
"""Former parameters without effect, and what happens instead."""

_OPTIONS = {
    "gamma": ("loss", "gamma", None),
    "tau": ("loss", "tau", None),
    "label_smoothing": ("loss", "smoothing", 0.0),
    "weight_alpha": ("class_weights", "alpha", 0.5),
    "weight_beta": ("class_weights", "beta", 0.999),
    "max_weight_ratio": ("class_weights", "max_ratio", None),
}
"""Former parameters: the parameter whose option they are now, the option, and their default."""

FORMER = ("members", *REMOVED, *_OPTIONS)
"""Names of all former parameters."""


class ModelParameters(FormerNames):
    """Bidirectional LSTM that labels every line, or every token, of a document.

    Parameters without a value take a default that suits the unit and the preset; ``settings_`` has the values used.

    A sample of scikit-learn is a document here, and its label a list of labels.  :mod:`skol_rnn.scorers` has scores for
    ``cross_val_score`` and searches; :class:`skol_rnn.FlatClassifier` makes each line a sample.

    Parameters
    ----------
    unit : {"line", "token"}, default "line"
        What gets a label.  Where other parameters say line, they mean token with ``unit="token"``.
    features : str, default "hashed"
        Features: hashed, tfidf, word2vec, fasttext, doc2vec or vectors; for tokens also ngrams and characters.  Tokens
        have no tfidf and no doc2vec; "vectors" reads ``features_col``.
    important : list of str, optional
        Labels that matter; their mean F1 is the important F1.  All but the most frequent if not given.
    class_weights : str, dict of str to float, or ClassWeights, default "auto"
        Class weights in the loss: none, a strategy, a weight for each label, or the path of a saved file.  Strategies
        are "inverse", "balanced", "smoothed", "effective", "log" and "aggressive", with options as in
        ``"smoothed:alpha=1,max_ratio=9"``.  A label missing from a dict weighs 1.0.  None means no weights.  "auto"
        is "smoothed" for tokens under cross-entropy, otherwise None, the best-scoring option.  Weights steeper than the
        ratio of the label counts are capped at it.
    loss : str, default "auto"
        Loss: cross_entropy, focal, class_balanced_focal, soft_f1 or logit_adjusted.  Options follow the name, as in
        ``"focal:gamma=2"``, ``"logit_adjusted:tau=1"``, ``"cross_entropy:smoothing=0.1"``.  "auto" is "soft_f1" with
        ``focal_labels``, otherwise "cross_entropy".
    focal_labels : list of str, optional
        Labels whose soft F1 the loss adds; not together with class weights.
    sampling : str or dict, optional
        Sampling of the training documents: oversample, stratify or rare_windows.  "oversample" copies documents that
        hold the rarest label, "stratify" leaves out some of the others, "rare_windows" draws windows with rare labels
        more often.  A dict holds the "name" and its options.
    decision : str, optional
        How probabilities become labels: auto, corrected, argmax, tuned or viterbi; auto if not given.  "corrected" takes
        the largest posterior (weights, loss and sampling undone), "argmax" the largest output of the network, "tuned"
        adds offsets to the posteriors that are tuned on the validation documents for ``monitor``, "viterbi" takes the
        most probable sequence.  "auto" tunes offsets where there are validation documents and the cross-validated gain
        exceeds one standard error; without validation documents the offsets follow from the label counts, and with
        ``folds`` there are none.  BIO labels always form legal sequences.  For a purpose (docs/decide.md), of lines only:
        "recall:LABEL=0.95" and "precision:LABEL=0.9" set a threshold that held-out documents support, "cost:FILE"
        takes the label with the least expected cost.
    calibration : {"cautious", "bias", "temperature", "none"}, default "cautious"
        Calibration fitted on the validation documents: cautious, bias, temperature or none.  "temperature" fits one
        temperature, "bias" also an offset for each label, "cautious" limits these offsets to the shift that class
        weights, loss and sampling caused.
    monitor : str, optional
        Score that chooses the best epoch and the offsets.  One of "important_f1" (the default), "macro_f1",
        "accuracy", "f1/Label", and for BIO tokens "fragment_f1" (their default).
    preset : {"fast", "default", "instant"}, default "default"
        Trade of time for F1; it sets epochs, ensemble size and refit.  "instant" trains no network but a linear
        model of a line's words and those of the four lines on each side, in seconds and without TensorFlow; parameters
        of the network are refused with it.
    epochs : int, optional
        Largest number of passes over the training windows; from the preset if not given.
    batch_size : int, optional
        Windows in a training batch; 64, for tokens 16, if not given.
    learning_rate : float, optional
        Initial learning rate of Adam with cosine decay; 0.001, for tokens 0.003, if not given.
    min_updates : int, optional
        Smallest number of optimizer updates; 400, for tokens 40, if not given.  Where the data give fewer, ``fit`` lowers
        stride and batch size and, unless ``epochs`` is given, makes more passes; the log reports it.  0 turns this off.
    patience : int, optional
        Epochs without a better score before training stops; 4, for tokens 3, if not given.
    validation_fraction : float, optional
        Share of lines, in whole documents, of the validation set; 0.1 if not given, but none of fewer than 20,000
        lines or where there are ``folds``.  It has no effect where ``fit`` receives validation data.
    ensemble_size : int, optional
        Networks trained jointly, whose logits are averaged; from the preset if not given.
    folds : int, optional
        Folds of documents of the second pass, gradient-boosted trees that read the labels' probabilities in the lines
        around.  Networks trained without a fold predict it; the trees and the decision are fitted to that, and the saved
        network is trained on all documents.  3 from the preset "default" where there are 20,000 lines of
        hashed features, at most 5 labels, and 500 lines of each; otherwise 0, no second pass.
    refit : bool, optional
        Whether a new network is trained on all documents, validation set included, for the best number of epochs; from
        the preset if not given.
    input_size : int, optional
        Length of a line's vector.  For "hashed" the size of the embeddings (64), for word vectors theirs (300), for
        "tfidf" the size after reduction (not reduced), for "vectors" the expected size.
    line_size : int, default 128
        Units of the dense layer between features and LSTM.
    hidden_size : int, default 96
        LSTM units in each direction.
    num_layers : int, optional
        Stacked bidirectional layers; 2, for tokens 1, if not given.
    dropout : float, optional
        Share of activations dropped in training; 0 for hashed lines, otherwise 0.3, if not given.
    feature_dropout : float, optional
        Share of hashed features dropped in training; 0.5, for tokens 0.2, if not given.
    linear_share : float, optional
        Weight of a linear model in the geometric mean with the network: over neighbouring lines, 0.15 for hashed lines and
        otherwise 0 if not given; for tokens a linear chain of labels, 0.5, with ``features="vectors"`` 0, if not given.
    window_size : int, optional
        Lines in a window; 15, for tokens 128, if not given.
    stride : int, optional
        Lines between the starts of training windows; the window if not given, or a third of it where fewer than 32,000
        lines are trained on.  Windows that do not overlap start at other lines in each epoch.
    prediction_window_size : int, optional
        Lines in a window of prediction; 128 if not given, and ``window_size`` for tokens, where that is longer, where
        ``prediction_stride`` is given, or where fewer than 5,000 lines are trained on.
    prediction_stride : int, optional
        Lines between the starts of prediction windows; the window less 6 lines, but at least two thirds of it, for
        tokens half, if not given.
    prediction_batch_size : int, default 256
        Windows in a prediction batch.
    features_col : str, default "features"
        Column of precomputed vectors.
    vectors : str, optional
        Folder of a pretrained model whose input embeddings join the features of tokens.  It holds ``tokenizer.json`` and
        ``*.safetensors``; no transformer is run, and the saved model needs no folder.
    vector_layers : list of int, optional
        Layers of the BERT encoder in ``vectors`` whose mean joins the features too, such as ``[2, 4, 6]``.  The saved
        model needs the folder.
    label_col : str, default "label"
        Column of the labels.
    line_no_col : str, default "line_number"
        Column of a line's position in its document.
    name : str, default "RNN_BiLSTM"
        Name of the model in logs and files.
    verbosity : int, default 1
        0 is silent, 1 logs a line an epoch, 2 also every warning.
    random_state : int, NumPy generator or None, default 0
        Seed of the split, the initial weights, dropout and the order of windows.  A generator or None draws one.
    **renamed
        Former names, accepted for one version with a FutureWarning.

    Attributes
    ----------
    labels_ : list of str
        Labels in the order of the probabilities.
    class_weights_ : ClassWeights
        Weights as the strategy, the dict or the file gave them, with their counts.
    weights_ : ndarray, shape (labels,)
        Class weights as used, of mean 1 over the training lines.
    counts_ : ndarray, shape (labels,)
        Training lines of each label before sampling.
    decoder_ : Decoder
        Correction, calibration, offsets and transitions.
    findings_ : list of Finding
        Problems found in training: figures, meaning, and what to change.
    history_ : History
        A dict of one value an epoch: ``loss``, ``val_f1/Label``, ``val_loss/Label`` and so on; ``refit_loss`` of the
        refit. ``history_.to_frame()`` is a table, ``history_.plot()`` a chart.
    validation_documents_ : list of str
        Documents that selected the epoch and the offsets; the refit includes them.
    card_ : dict of str to object
        What was trained on what: date, versions, SHA-256 of each document's text, split, label counts, weights,
        settings, calibration, and the scores of the validation set; ``save`` writes it, also as ``README.md``.
        Empty for models saved by earlier versions.
    settings_ : dict of str to object
        Parameters as used, defaults filled in.

    Examples
    --------
    >>> from skol_rnn import RNNSkolModel
    >>> lines = [f"{'genus' if i % 5 == 0 else 'prose'} number {i}" for i in range(60)]
    >>> labels = ["Nomenclature" if i % 5 == 0 else "Misc" for i in range(60)]
    >>> model = RNNSkolModel(epochs=2, min_updates=0, hidden_size=4, verbosity=0)  # small and fast
    >>> model = model.fit([lines] * 3, [labels] * 3)
    >>> model.predict_proba([lines])[0].shape
    (60, 2)
    """

    _former, _former_order = MODEL_NAMES, tuple(MODEL_OPTIONS)

    def __init__(
        self,
        *,
        unit: str = "line",
        features: str = "hashed",
        important: Sequence[str] | None = None,
        class_weights: str | Mapping[str, float] | ClassWeights | None = "auto",
        loss: str = "auto",
        focal_labels: Sequence[str] | None = None,
        sampling: str | Mapping[str, Any] | None = None,
        decision: str | None = None,
        calibration: str = "cautious",
        monitor: str | None = None,
        preset: str = "default",
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        min_updates: int | None = None,
        patience: int | None = None,
        validation_fraction: float | None = None,
        ensemble_size: int | None = None,
        folds: int | None = None,
        refit: bool | None = None,
        input_size: int | None = None,
        line_size: int = 128,
        hidden_size: int = 96,
        num_layers: int | None = None,
        dropout: float | None = None,
        feature_dropout: float | None = None,
        linear_share: float | None = None,
        window_size: int | None = None,
        stride: int | None = None,
        prediction_window_size: int | None = None,
        prediction_stride: int | None = None,
        prediction_batch_size: int = 256,
        features_col: str = "features",
        vectors: str | None = None,
        vector_layers: Sequence[int] | None = None,
        label_col: str = "label",
        line_no_col: str = "line_number",
        name: str = "RNN_BiLSTM",
        verbosity: int = 1,
        random_state: int | np.random.RandomState | np.random.Generator | None = 0,
        **renamed: Any,
    ) -> None:
        self.unit = unit
        self.features = features
        self.important = important
        self.class_weights = class_weights
        self.loss = loss
        self.focal_labels = focal_labels
        self.sampling = sampling
        self.decision = decision
        self.calibration = calibration
        self.monitor = monitor
        self.preset = preset
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.min_updates = min_updates
        self.patience = patience
        self.validation_fraction = validation_fraction
        self.ensemble_size = ensemble_size
        self.folds = folds
        self.refit = refit
        self.input_size = input_size
        self.line_size = line_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.dropout = dropout
        self.feature_dropout = feature_dropout
        self.linear_share = linear_share
        self.window_size = window_size
        self.stride = stride
        self.prediction_window_size = prediction_window_size
        self.prediction_stride = prediction_stride
        self.prediction_batch_size = prediction_batch_size
        self.features_col = features_col
        self.vectors = vectors
        self.vector_layers = vector_layers
        self.label_col = label_col
        self.line_no_col = line_no_col
        self.name = name
        self.verbosity = verbosity
        self.random_state = random_state
        if renamed:
            self._set_former(renamed, stacklevel=3)
        # Users of the former class rely on this error here; fit checks everything else.
        refuse_both(self.class_weights, self.focal_labels)

    def set_params(self, **parameters: Any) -> ModelParameters:
        """Set parameters; former names are accepted with a FutureWarning.

        Parameters
        ----------
        **parameters
            Values by name.

        Returns
        -------
        ModelParameters
            Self.
        """
        former = {key: value for key, value in parameters.items() if key not in PARAMETERS}
        for key, value in parameters.items():
            if key in PARAMETERS:
                setattr(self, key, value)
        try:
            self._set_former(former, stacklevel=3)
        except TypeError as error:  # scikit-learn expects a ValueError here
            raise ValueError(f"Invalid parameter: {error}") from None
        return self

    def _set_former(self, former: Mapping[str, Any], stacklevel: int) -> None:
        for key, value in current_names(former, values_of(self), stacklevel + 1).items():
            setattr(self, key, value)


PARAMETERS = tuple(
    name for name, p in inspect.signature(ModelParameters.__init__).parameters.items() if p.kind is p.KEYWORD_ONLY
)
"""Names of all parameters."""


def values_of(model: ModelParameters) -> dict[str, Any]:
    """Return the values of all parameters by name."""
    return {name: getattr(model, name) for name in PARAMETERS}


def refuse_both(class_weights: Any, focal_labels: Sequence[str] | None) -> None:
    """Refuse class weights and focal labels together."""
    if chosen(class_weights) and focal_labels is not None:
        raise ValueError("class_weights and focal_labels are mutually exclusive: give one of them.")


def chosen(class_weights: Any) -> bool:
    """Whether class weights are chosen, neither None nor "auto"."""
    return class_weights is not None and not (isinstance(class_weights, str) and class_weights == "auto")


def current_names(former: Mapping[str, Any], current: Mapping[str, Any], stacklevel: int | None) -> dict[str, Any]:
    """Translate former parameters to current ones, with a FutureWarning for each unless the stack level is None."""
    found = dict(current)
    for old, value in former.items():
        parameter, option, default = _OPTIONS.get(old, ("", "", None))
        if old == "members":
            found["ensemble_size"], advice = value, "use ensemble_size"
        elif old in REMOVED:
            advice = f"it has no effect: {REMOVED[old]}"
        elif old in _OPTIONS:
            advice = f'add the option to {parameter}, as in "name:{option}={default or 1}"'
        else:
            known = (*current, *FORMER)
            advice = refusal([old], MODEL_OPTIONS)
            raise TypeError(
                f"RNNSkolModel has no parameter {advice or repr(old)}.{'' if advice else suggestion(old, known)}"
            )
        if stacklevel is not None:
            message = f"The parameter {old} of RNNSkolModel is gone: {advice}."
            warnings.warn(message, FutureWarning, stacklevel=stacklevel)
        if old in _OPTIONS and value != default:
            if option == "beta" and str(found["loss"]).startswith("class_balanced_focal"):
                parameter = "loss"
            found[parameter] = _with_option(found[parameter], parameter, option, value)
    return found


def _with_option(spec: Any, parameter: str, option: str, value: float) -> str:
    if parameter == "loss" and spec == "auto":
        spec = "cross_entropy"
    if not isinstance(spec, str) or spec == "auto":
        raise ValueError(f"{option} has no effect without a strategy of {parameter}: leave it out, or choose one.")
    return f"{spec}{',' if ':' in spec else ':'}{option}={value}"


def default_values() -> dict[str, Any]:
    """Return the default of each parameter."""
    signature = inspect.signature(ModelParameters.__init__)
    return {name: signature.parameters[name].default for name in PARAMETERS}


def saved_parameters(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Translate the parameters of a saved model to current names."""
    defaults = default_values()
    current = {name: parameters.get(name, defaults[name]) for name in PARAMETERS}
    return current_names({k: v for k, v in parameters.items() if k not in PARAMETERS}, current, None)
