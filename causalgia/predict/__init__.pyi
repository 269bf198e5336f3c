from ._load_predictor import load_predictor as load_predictor
from .ensemble import Ensemble as Ensemble
from .function_predictor import FunctionPredictor as FunctionPredictor
from .keras_network import from_keras as from_keras
from .onnx import OnnxPredictor as OnnxPredictor
from .predictor import NonFiniteError as NonFiniteError, Predictor as Predictor
from .torch_exports import load_weights as load_weights, save_weights as save_weights
from .torch_predictor import TorchPredictor as TorchPredictor
from .track import Track as Track, Window as Window
