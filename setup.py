"""All about the package stands in pyproject.toml; this puts `resources/` into the wheel, as rnnstudio/resources."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py


class BuildWithResources(build_py):
    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree("resources", Path(self.build_lib) / "rnnstudio" / "resources", dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithResources})
