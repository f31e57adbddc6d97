"""Every key of a configuration under its dotted name, such as `ppo_config.gamma`."""

from collections.abc import Mapping
from typing import Any

from pydantic.fields import FieldInfo

from bb_jax.strict_model import StrictModel, is_section
from train.config.settings import Config


def section_of(field: FieldInfo) -> type[StrictModel]:
    """The class of a field that is a section."""
    section: type[StrictModel] = field.annotation  # type: ignore[assignment]
    return section


SECTIONS: Mapping[str, type[StrictModel]] = {
    name: section_of(field) for name, field in Config.model_fields.items() if is_section(field)
}

KEYS: Mapping[str, FieldInfo] = {
    name: field
    for outer, outer_field in Config.model_fields.items()
    for name, field in (
        {f"{outer}.{inner}": field for inner, field in SECTIONS[outer].model_fields.items()}
        if outer in SECTIONS
        else {outer: outer_field}
    ).items()
}
"""In the order of the documentation."""


def plain_default(field: FieldInfo) -> Any:
    """The default as JSON has it; None where the key must be given."""
    default = None if field.is_required() else field.default
    return list(default) if isinstance(default, tuple) else default
