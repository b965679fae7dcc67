"""Oko is a source checkout, `pip install -e .`: `data` and `tests` are no names for a package."""

from setuptools import setup

setup(
    name='oko',
    version='0.1.0',
    description='Train, study and serve image models in JAX',
    license='Apache-2.0',
    python_requires='>=3.11',
    packages=[],
    py_modules=[],
    install_requires=[
        'absl-py>=2.1',
        'array_record>=0.8; sys_platform == "linux"',
        'chex>=0.1.92',
        'etils[epath]>=1.12',
        'flax>=0.12.8,<0.13',
        'jax>=0.10.2,<0.13',
        'matplotlib>=3.9',
        'ml_collections>=1.1',
        'numpy>=2.1',
        'opencv-python-headless>=4.10',
        'optax>=0.2.8',
        'orbax-checkpoint>=0.12.8,<1',
        'pillow>=11',
        'safetensors>=0.5',
        'scikit-learn>=1.5',
        'scipy>=1.13',
        'tensorboardX>=2.6',
        'tensorflow-datasets>=4.9.10',
        'tqdm>=4.66',
    ],
    extras_require={
        'cpu': [],
        'cuda13': ['jax[cuda13]'],
        'tpu': ['jax[tpu]'],
        'keras': ['h5py>=3.12'],
        'hub': ['huggingface_hub>=0.30'],
        'scans': ['nibabel>=5', 'pydicom>=3'],
        'test': ['h5py>=3.12', 'hypothesis>=6.100', 'nibabel>=5', 'pycocotools>=2.0.8',
                 'pydicom>=3', 'pytest>=8', 'pytest-xdist>=3.6', 'ruff>=0.12'],
    },
)
