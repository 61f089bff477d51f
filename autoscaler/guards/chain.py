"""The guards in the order in which they speak. Order is meaning: see docs/architecture.md."""

from autoscaler.guards.anomaly import Anomaly
from autoscaler.guards.bad_data import BadData
from autoscaler.guards.budget import Budget
from autoscaler.guards.capacity_known import CapacityKnown
from autoscaler.guards.change_freeze import ChangeFreeze
from autoscaler.guards.condition import Condition
from autoscaler.guards.condition_known import ConditionKnown
from autoscaler.guards.contract import Guard
from autoscaler.guards.disruption_budget import DisruptionBudget
from autoscaler.guards.fallback import Fallback
from autoscaler.guards.fallback_decay import FallbackDecay
from autoscaler.guards.fleet_brake import FleetBrake
from autoscaler.guards.forecast_trust import ForecastTrust
from autoscaler.guards.growth_brake import GrowthBrake
from autoscaler.guards.limits_clash import LimitsClash
from autoscaler.guards.lower_bound import LowerBound
from autoscaler.guards.min_max import MinMax
from autoscaler.guards.no_room import NoRoom
from autoscaler.guards.override import Override
from autoscaler.guards.pause import Pause
from autoscaler.guards.policy_known import PolicyKnown
from autoscaler.guards.rise_spacing import RiseSpacing
from autoscaler.guards.scaled_to_zero import ScaledToZero
from autoscaler.guards.stabilization import Stabilization
from autoscaler.guards.stale_data import StaleData
from autoscaler.guards.step_down import StepDown
from autoscaler.guards.step_up import StepUp
from autoscaler.guards.target_known import TargetKnown
from autoscaler.guards.tolerance import Tolerance
from autoscaler.guards.yielded import Yielded

CHAIN: tuple[Guard, ...] = (
    TargetKnown(),
    Yielded(),
    Pause(),
    Override(),
    ScaledToZero(),
    LimitsClash(),
    PolicyKnown(),
    ConditionKnown(),
    CapacityKnown(),
    BadData(),
    LowerBound(),
    StaleData(),
    ForecastTrust(),
    Fallback(),
    ChangeFreeze(),
    Stabilization(),
    Tolerance(),
    Condition(),
    Anomaly(),
    StepUp(),
    StepDown(),
    FallbackDecay(),
    DisruptionBudget(),
    FleetBrake(),
    GrowthBrake(),
    Budget(),
    NoRoom(),
    RiseSpacing(),
    MinMax(),
)
