"""The models: FMERL on SDT's backbone, and the systems that it is compared with."""

from fmerl.config import CellConfig, SystemName
from fmerl.model.baselines.belief_desire import BeliefDesireGraph
from fmerl.model.baselines.bigru import BiGRU
from fmerl.model.baselines.ckcl import CKCL
from fmerl.model.baselines.cosmic import COSMIC
from fmerl.model.baselines.dialogue_rnn import DialogueRNN
from fmerl.model.baselines.eacl import EACL
from fmerl.model.baselines.majority import Majority
from fmerl.model.baselines.mlp import MLP
from fmerl.model.baselines.multiemo import MultiEMO
from fmerl.model.baselines.sacl import SACL
from fmerl.model.baselines.sdt import SDT
from fmerl.model.baselines.sslcl import SSLCL
from fmerl.model.fmerl import FMERL, Output
from fmerl.model.system import Losses, ModelInputs, System

__all__ = ["FMERL", "SYSTEMS", "Losses", "ModelInputs", "Output", "System", "create_system"]

SYSTEMS: dict[SystemName, type[System]] = {
    "FMERL": FMERL,
    "majority": Majority,
    "MLP": MLP,
    "BiGRU": BiGRU,
    "DialogueRNN": DialogueRNN,
    "SDT": SDT,
    "SACL-LSTM": SACL,
    "EACL": EACL,
    "SSLCL": SSLCL,
    "MultiEMO": MultiEMO,
    "COSMIC": COSMIC,
    "CKCL": CKCL,
    "belief-desire graph": BeliefDesireGraph,
}


def create_system(config: CellConfig, inputs: ModelInputs) -> System:
    """The model that `config.system` names."""
    return SYSTEMS[config.system.name](config, inputs)
