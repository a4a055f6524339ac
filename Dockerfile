# Untested: there is no Docker where this was written. It takes the steps of `make .venv`, which are.
#   docker build -t mmdass .
#   docker run --rm --gpus all --shm-size 8g -v "$PWD:/workspace" mmdass train mmdass::madm/toy_event.py
FROM python:3.11-slim

# Which OpenCV's wheels link against.
RUN apt-get update && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 && rm -rf /var/lib/apt/lists/*

WORKDIR /source
COPY LICENSE MANIFEST.in README.md constraints.txt model-index.yml pyproject.toml setup.py ./
COPY configs configs
COPY mmdass mmdass
COPY requirements requirements
COPY tools tools
# The constraints reach the isolated builds of the onedl sdists through the environment variable only.
RUN PIP_CONSTRAINT=constraints.txt pip install --no-cache-dir torch==2.13.0 setuptools '.[onedl,events]'

RUN useradd --create-home user
USER user
WORKDIR /workspace
ENTRYPOINT ["mmdass"]
CMD ["--help"]
